#version 330 core
// Positions and normals are in world space already; pyrender fills in the numbers of the locations.
layout(location = 0) in vec3 position;
layout(location = NORMAL_LOC) in vec3 normal;
#ifdef TANGENT_LOC
layout(location = TANGENT_LOC) in vec4 tangent; // carries the third and fourth UV mapping
#endif
#ifdef TEXCOORD_0_LOC
layout(location = TEXCOORD_0_LOC) in vec2 texcoord_0;
#endif
#ifdef TEXCOORD_1_LOC
layout(location = TEXCOORD_1_LOC) in vec2 texcoord_1;
#endif
#ifdef COLOR_0_LOC
layout(location = COLOR_0_LOC) in vec4 color_0;
#endif

uniform mat4 M;
uniform mat4 V;
uniform mat4 P;

out vec3 world_position;
out vec3 world_normal;
out vec4 vertex_colour;
out vec2 uv_0;
out vec2 uv_1;
out vec2 uv_2;
out vec2 uv_3;

void main()
{
    vec4 world = M * vec4(position, 1.0);
    gl_Position = P * V * world;
    world_position = world.xyz;
    world_normal = normal;
    vertex_colour = vec4(1.0);
    uv_0 = vec2(0.0);
    uv_1 = vec2(0.0);
    uv_2 = vec2(0.0);
    uv_3 = vec2(0.0);
#ifdef COLOR_0_LOC
    vertex_colour = color_0;
#endif
#ifdef TEXCOORD_0_LOC
    uv_0 = texcoord_0;
#endif
#ifdef TEXCOORD_1_LOC
    uv_1 = texcoord_1;
#endif
#ifdef TANGENT_LOC
    uv_2 = tangent.xy;
    uv_3 = tangent.zw;
#endif
}
