// A page for tests: bare base colours of one GLB from a camera given by its axes.
"use strict";

const page = { renderer: null, scene: null };

// `smooth`: with antialiasing, on black; else a sample a pixel, on nothing.
page.start = (size, smooth = true) => {
  const kind = { antialias: smooth, alpha: !smooth, preserveDrawingBuffer: true };
  page.renderer = new THREE.WebGLRenderer(kind);
  page.renderer.outputEncoding = THREE.sRGBEncoding;
  page.renderer.toneMapping = THREE.NoToneMapping;
  page.renderer.setClearColor(0x000000, smooth ? 1 : 0);
  page.renderer.setSize(size, size);
};

page.load = async (data, centre, radius) => {
  const gltf = await meshstyle.load(data);
  for (const mesh of meshstyle.meshes(gltf.scene)) {
    const { map, color, vertexColors, side, alphaTest, transparent } = mesh.material;
    const plain = new THREE.MeshBasicMaterial({ map, color, vertexColors, side });
    if (map) map.anisotropy = 8; // as much as the ray renderer has
    plain.alphaTest = transparent ? 0.1 : alphaTest; // the ray renderer looks through what is thinner
    if (mesh.material.userData.baseUvTransform) {
      plain.onBeforeCompile = mesh.material.onBeforeCompile;
      plain.customProgramCacheKey = mesh.material.customProgramCacheKey;
    }
    mesh.material = plain;
    mesh.frustumCulled = false;
  }
  const frame = new THREE.Group();
  frame.scale.setScalar(1 / radius);
  frame.position.fromArray(centre).multiplyScalar(-1 / radius);
  frame.add(gltf.scene);
  page.scene = new THREE.Scene();
  page.scene.add(frame);
};

// `rows`: right, up, forward; `half`: tangent of half the field of view. Returns a PNG.
page.draw = (eye, rows, half) => {
  const camera = new THREE.PerspectiveCamera(2 * THREE.MathUtils.radToDeg(Math.atan(half)), 1, 0.05, 20);
  const [right, up, forward] = rows.map((row) => new THREE.Vector3(...row));
  camera.matrixAutoUpdate = false;
  camera.matrix.makeBasis(right, up, forward.negate()).setPosition(...eye);
  camera.updateMatrixWorld(true);
  page.renderer.render(page.scene, camera);
  return page.renderer.domElement.toDataURL("image/png").split(",")[1];
};
