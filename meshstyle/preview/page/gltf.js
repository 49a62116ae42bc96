// Loading a GLB so that it looks as the file says, whatever three.js makes of it.
"use strict";

const meshstyle = {
  // Resolves to what three's glTF loader hands out; `text` is the file in base64.
  load(text) {
    const binary = atob(text);
    const bytes = Uint8Array.from(binary, (letter) => letter.charCodeAt(0));
    return new Promise((resolve, reject) => {
      new THREE.GLTFLoader().parse(bytes.buffer, "", resolve, reject);
    }).then((gltf) => {
      for (const { geometry } of meshstyle.meshes(gltf.scene)) {
        for (const [name, data] of Object.entries(geometry.attributes)) {
          if (!data) geometry.deleteAttribute(name); // an accessor without data, which means zeros
        }
      }
      if (parseInt(THREE.REVISION, 10) < 151) meshstyle.giveBaseColourItsOwnUvs(gltf);
      return gltf;
    });
  },

  meshes(scene) {
    const found = [];
    scene.traverse((object) => object.isMesh && found.push(object));
    return found;
  },

  // Before revision 151, three reads all of a material's textures at the first UV set with one transform.
  giveBaseColourItsOwnUvs(gltf) {
    for (const mesh of meshstyle.meshes(gltf.scene)) {
      const place = gltf.parser.associations.get(mesh.material);
      const number = typeof place === "object" ? place.materials : undefined;
      const definition = (gltf.parser.json.materials || [])[number];
      if (!definition) continue;
      const info = definition.pbrMetallicRoughness && definition.pbrMetallicRoughness.baseColorTexture;
      if (info && mesh.material.map) meshstyle.giveUvs(mesh, info);
      // three reads occlusion at the second set wherever there is one.
      const occlusion = definition.occlusionTexture;
      const { uv } = mesh.geometry.attributes;
      if (occlusion && !occlusion.texCoord && uv) mesh.geometry.setAttribute("uv2", uv);
    }
  },

  giveUvs(mesh, info) {
    const transform = (info.extensions && info.extensions.KHR_texture_transform) || {};
    const set = transform.texCoord !== undefined ? transform.texCoord : info.texCoord || 0;
    const source = mesh.geometry.attributes[["uv", "uv2"][set] || "texcoord_" + set];
    if (!source) return;
    const name = "baseUv" + set;
    mesh.geometry.setAttribute(name, source);
    const { map } = mesh.material;
    if (mesh.material.userData.baseUvTransform === undefined) {
      mesh.material.userData.baseUvTransform = meshstyle.uvTransform(transform);
      // What three passes as the transform of `map` now serves the other textures alone.
      const others = ["normalMap", "roughnessMap", "emissiveMap", "aoMap"].map((key) => mesh.material[key]);
      const other = others.find((texture) => texture && texture !== map);
      mesh.material.map = map.clone();
      mesh.material.map.needsUpdate = true;
      mesh.material.map.matrixAutoUpdate = false;
      mesh.material.map.matrix.identity();
      if (other) {
        other.updateMatrix();
        mesh.material.map.matrix.copy(other.matrix);
      }
    }
    meshstyle.readMapAt(mesh.material, name, mesh.material.userData.baseUvTransform);
  },

  // KHR_texture_transform scales, then turns, then moves; three turns before it scales.
  uvTransform({ offset = [0, 0], rotation = 0, scale = [1, 1] }) {
    const [cos, sin] = [Math.cos(rotation), Math.sin(rotation)];
    return new THREE.Matrix3().set(
      cos * scale[0], sin * scale[1], offset[0], -sin * scale[0], cos * scale[1], offset[1], 0, 0, 1,
    );
  },

  // Make a material look its `map` up at another vertex attribute.
  readMapAt(material, attribute, transform) {
    material.onBeforeCompile = (shader) => {
      shader.uniforms.baseUvTransform = { value: transform };
      shader.vertexShader = shader.vertexShader.replace(
        "void main() {",
        `attribute vec2 ${attribute};
         uniform mat3 baseUvTransform;
         varying vec2 vBaseUv;
         void main() {
           vBaseUv = (baseUvTransform * vec3(${attribute}, 1.0)).xy;`,
      );
      const lookup = THREE.ShaderChunk.map_fragment.replace(/\bvUv\b/g, "vBaseUv");
      shader.fragmentShader = shader.fragmentShader
        .replace("void main() {", "varying vec2 vBaseUv;\nvoid main() {")
        .replace("#include <map_fragment>", lookup);
    };
    material.customProgramCacheKey = () => attribute;
  },
};
