#version 330 core
// The GPU's half of meshstyle/preview/lighting.py, which has the sources and the numbers.

in vec3 world_position;
in vec3 world_normal;
in vec4 vertex_colour;
in vec2 uv_0;
in vec2 uv_1;
in vec2 uv_2;
in vec2 uv_3;

struct Lamp { // as pyrender names the parts of a directional light
    vec3 color;
    float intensity;
    vec3 direction;
};
uniform Lamp directional_lights[MAX_DIRECTIONAL_LIGHTS];
uniform int n_directional_lights;
uniform vec3 cam_pos;

uniform mat3 studio; // world space to the studio's
uniform vec3 sky;
uniform vec3 horizon;
uniform vec3 ground;
uniform vec4 glow; // of the soft boxes, one for each light
uniform float box_sharpness;
uniform float min_roughness;

uniform vec4 base_factor;
uniform float metallic_factor;
uniform float roughness_factor;
uniform vec3 emissive_factor;
uniform float normal_scale;
uniform float occlusion_strength;
uniform float alpha_cutoff; // 0: opaque; below 0: blended
uniform int unlit;

uniform int base_uv;
uniform int normal_uv;
uniform int metal_rough_uv;
uniform int emissive_uv;
uniform int occlusion_uv;
#ifdef HAS_BASE_COLOR_TEX
uniform sampler2D base_map;
#endif
#ifdef HAS_NORMAL_TEX
uniform sampler2D normal_map;
#endif
#ifdef HAS_METALLIC_ROUGHNESS_TEX
uniform sampler2D metal_rough_map;
#endif
#ifdef HAS_EMISSIVE_TEX
uniform sampler2D emissive_map;
#endif
#ifdef HAS_OCCLUSION_TEX
uniform sampler2D occlusion_map;
#endif

out vec4 frag_color; // sRGB, premultiplied

const float SHARPER = -0.4; // mip levels; the four samples of a pixel only smooth the outline

vec2 choose_uv(int mapping)
{
    return mapping == 0 ? uv_0 : mapping == 1 ? uv_1 : mapping == 2 ? uv_2 : uv_3;
}

vec3 to_linear(vec3 c)
{
    return mix(c / 12.92, pow((c + 0.055) / 1.055, vec3(2.4)), step(vec3(0.04045), c));
}

vec3 to_srgb(vec3 c)
{
    c = clamp(c, 0.0, 1.0);
    return mix(c * 12.92, 1.055 * pow(c, vec3(1.0 / 2.4)) - 0.055, step(vec3(0.0031308), c));
}

vec3 shading_normal()
{
    vec3 n = normalize(world_normal);
#ifdef HAS_NORMAL_TEX
    vec2 uv = choose_uv(normal_uv);
    vec3 px = dFdx(world_position), py = dFdy(world_position);
    vec2 ux = dFdx(uv), uy = dFdy(uv);
    float area = ux.x * uy.y - uy.x * ux.y;
    if (abs(area) > 1e-20) {
        vec3 along_u = (px * uy.y - py * ux.y) / area;
        vec3 along_v = (py * ux.x - px * uy.x) / area; // v points down, the map's y up
        vec3 t = along_u - n * dot(n, along_u);
        vec3 b = -(along_v - n * dot(n, along_v));
        float tt = dot(t, t), bb = dot(b, b);
        if (tt > 1e-20 && bb > 1e-20) {
            vec3 m = texture(normal_map, uv, SHARPER).xyz * 2.0 - 1.0;
            n = normalize(t * inversesqrt(tt) * (m.x * normal_scale) + b * inversesqrt(bb) * (m.y * normal_scale) + n * m.z);
        }
    }
#endif
    return gl_FrontFacing ? n : -n;
}

vec3 environment(vec3 d, float rough)
{
    float width = 0.15 + 0.85 * rough;
    vec3 c = mix(ground, horizon, smoothstep(-width, width, d.y));
    c = mix(c, sky, smoothstep(0.0, 1.0, d.y));
    float sharpness = box_sharpness * (1.0 - rough) * (1.0 - rough) + 1.0;
    for (int i = 0; i < n_directional_lights; i++) {
        float facing = clamp(dot(d, studio * -directional_lights[i].direction), 0.0, 1.0);
        c += directional_lights[i].color * glow[i] * (1.0 - rough) * pow(facing, sharpness);
    }
    return c;
}

vec3 environment_brdf(vec3 f0, float rough, float nv)
{
    vec4 r = rough * vec4(-1.0, -0.0275, -0.572, 0.022) + vec4(1.0, 0.0425, 1.04, -0.04);
    float a004 = min(r.x * r.x, exp2(-9.28 * nv)) * r.x + r.y;
    vec2 fit = vec2(-1.04, 1.04) * a004 + r.zw;
    return f0 * fit.x + fit.y;
}

vec3 tone(vec3 c)
{
    const float start = 0.76, desaturation = 0.15, room = 0.24;
    float peak = max(c.r, max(c.g, c.b));
    if (peak < start) return c;
    float squeezed = 1.0 - room * room / (peak + room - start);
    float grey = 1.0 - 1.0 / (desaturation * (peak - squeezed) + 1.0);
    return mix(c * (squeezed / peak), vec3(squeezed), grey);
}

vec3 lit(vec3 albedo)
{
    float rough = roughness_factor, metal = metallic_factor, occlusion = 1.0;
#ifdef HAS_METALLIC_ROUGHNESS_TEX
    vec2 mr = texture(metal_rough_map, choose_uv(metal_rough_uv), SHARPER).gb;
    rough *= mr.x;
    metal *= mr.y;
#endif
#ifdef HAS_OCCLUSION_TEX
    occlusion = mix(1.0, texture(occlusion_map, choose_uv(occlusion_uv), SHARPER).r, occlusion_strength);
#endif
    rough = clamp(rough, min_roughness, 1.0);
    metal = clamp(metal, 0.0, 1.0);
    vec3 f0 = mix(vec3(0.04), albedo, metal), diffuse = albedo * (1.0 - metal);
    vec3 n = shading_normal(), v = normalize(cam_pos - world_position);
    float nv = clamp(dot(n, v), 1e-3, 1.0);
    vec3 up_n = studio * n;
    vec3 total = diffuse * mix(ground, sky, 0.5 + 0.5 * up_n.y);
    total += environment(studio * reflect(-v, n), rough) * environment_brdf(f0, rough, nv);
    total *= occlusion;
    float a2 = rough * rough * rough * rough;
    for (int i = 0; i < n_directional_lights; i++) {
        vec3 l = -directional_lights[i].direction, h = normalize(v + l);
        float nl = clamp(dot(n, l), 0.0, 1.0), nh = clamp(dot(n, h), 0.0, 1.0), vh = clamp(dot(v, h), 0.0, 1.0);
        float d = nh * nh * (a2 - 1.0) + 1.0;
        float masking = 0.5 / (nl * sqrt(nv * nv * (1.0 - a2) + a2) + nv * sqrt(nl * nl * (1.0 - a2) + a2) + 1e-5);
        vec3 fresnel = f0 + (1.0 - f0) * pow(1.0 - vh, 5.0);
        vec3 answer = (1.0 - fresnel) * diffuse + fresnel * (a2 / (d * d) * masking);
        total += answer * nl * directional_lights[i].color * directional_lights[i].intensity;
    }
    vec3 emissive = emissive_factor;
#ifdef HAS_EMISSIVE_TEX
    emissive *= to_linear(texture(emissive_map, choose_uv(emissive_uv), SHARPER).rgb);
#endif
    return tone(total + emissive);
}

void main()
{
    vec4 base = base_factor * vertex_colour;
#ifdef HAS_BASE_COLOR_TEX
    vec4 texel = texture(base_map, choose_uv(base_uv), SHARPER);
    base *= vec4(to_linear(texel.rgb), texel.a);
#endif
    if (alpha_cutoff > 0.0 && base.a < alpha_cutoff) discard;
    float alpha = alpha_cutoff < 0.0 ? clamp(base.a, 0.0, 1.0) : 1.0;
    vec3 colour = unlit != 0 ? base.rgb : lit(base.rgb);
    frag_color = vec4(to_srgb(colour) * alpha, alpha);
}
