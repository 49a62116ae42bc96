// The page's viewer: one camera that turns around the painted model and, left of the slider, the original.
"use strict";

(() => {
  const FIELD_OF_VIEW = 40; // degrees, as in meshstyle's own views
  const SECONDS_PER_TURN = 24;
  const setup = JSON.parse(document.getElementById("setup").textContent);
  const stage = document.getElementById("stage");
  const wipe = document.getElementById("wipe");
  const turnButton = document.getElementById("turn");
  const home = { azimuth: setup.azimuth, elevation: setup.elevation, distance: setup.distance };
  const view = { ...home, target: new THREE.Vector3(), turning: false };
  let renderer, camera, light, sides = [];
  let stale = true, before = 0;

  function say(state, text) {
    document.documentElement.dataset.state = state;
    document.getElementById("message").textContent = text;
  }

  function makeRenderer() {
    renderer = new THREE.WebGLRenderer({ antialias: true, preserveDrawingBuffer: true });
    if ("outputColorSpace" in renderer) renderer.outputColorSpace = "srgb";
    else renderer.outputEncoding = THREE.sRGBEncoding;
    renderer.setPixelRatio(Math.min(window.devicePixelRatio, 2));
    renderer.setScissorTest(true);
    stage.prepend(renderer.domElement);
  }

  // A studio: bright above, darker below, so that metal has something to mirror.
  function makeSurroundings() {
    const studio = new THREE.Scene();
    const shape = new THREE.SphereGeometry(10, 32, 16);
    const heights = shape.attributes.position;
    const colours = new Float32Array(3 * heights.count);
    for (let i = 0; i < heights.count; i += 1) {
      const up = 0.5 + heights.getY(i) / 20;
      colours.fill(0.3 + 0.42 * up * up * (3 - 2 * up), 3 * i, 3 * i + 3);
    }
    shape.setAttribute("color", new THREE.BufferAttribute(colours, 3));
    studio.add(new THREE.Mesh(shape, new THREE.MeshBasicMaterial({ vertexColors: true, side: THREE.BackSide })));
    const generator = new THREE.PMREMGenerator(renderer);
    const { texture } = generator.fromScene(studio, 0, 0.1, 100);
    generator.dispose();
    return texture;
  }

  function makeSide(gltf, surroundings) {
    const scene = new THREE.Scene();
    scene.environment = surroundings;
    scene.background = new THREE.Color(setup.background);
    const frame = new THREE.Group();
    frame.scale.setScalar(1 / setup.radius);
    frame.position.fromArray(setup.centre).multiplyScalar(-1 / setup.radius);
    frame.add(gltf.scene);
    scene.add(frame);
    for (const mesh of meshstyle.meshes(gltf.scene)) mesh.frustumCulled = false; // skins leave their boxes
    return { scene, mixer: new THREE.AnimationMixer(gltf.scene), clips: gltf.animations };
  }

  function place() {
    const flat = Math.cos(view.elevation);
    const offset = new THREE.Vector3(
      flat * Math.sin(view.azimuth), Math.sin(view.elevation), flat * Math.cos(view.azimuth),
    );
    camera.position.copy(view.target).addScaledVector(offset, view.distance);
    camera.lookAt(view.target);
    camera.updateMatrixWorld();
    light.position.copy(camera.position).add(new THREE.Vector3(-0.8, 1.2, 0.4).applyQuaternion(camera.quaternion));
    light.target.position.copy(view.target);
  }

  function draw() {
    const { width, height } = renderer.getSize(new THREE.Vector2());
    place();
    const split = sides.length > 1 ? Math.round(width * wipe.value / 1000) : 0;
    const windows = sides.length > 1 ? [[0, split], [split, width - split]] : [[0, width]];
    sides.forEach(({ scene }, index) => {
      const [left, wide] = windows[index];
      if (wide < 1) return;
      scene.add(light, light.target); // moves from the other one
      renderer.setScissor(left, 0, wide, height);
      renderer.render(scene, camera);
    });
  }

  function resize() {
    const { width, height } = stage.getBoundingClientRect();
    renderer.setSize(width, height);
    camera.aspect = width / height;
    // The model fits the shorter side.
    const half = Math.tan(THREE.MathUtils.degToRad(FIELD_OF_VIEW / 2)) / Math.min(1, camera.aspect);
    camera.fov = 2 * THREE.MathUtils.radToDeg(Math.atan(half));
    camera.updateProjectionMatrix();
    stale = true;
  }

  function tick(now) {
    const seconds = Math.min((now - before) / 1000, 0.1);
    before = now;
    if (view.turning) view.azimuth -= seconds * 2 * Math.PI / SECONDS_PER_TURN;
    const playing = sides.filter((side) => side.playing);
    playing.forEach((side) => side.mixer.update(seconds));
    if (stale || view.turning || playing.length) draw();
    stale = false;
    requestAnimationFrame(tick);
  }

  function turn(wanted) {
    view.turning = wanted;
    turnButton.setAttribute("aria-pressed", String(wanted));
  }

  function orbit(dx, dy) {
    const { height } = stage.getBoundingClientRect();
    view.azimuth -= (dx / height) * Math.PI;
    view.elevation = Math.max(-1.55, Math.min(1.55, view.elevation + (dy / height) * Math.PI));
    stale = true;
  }

  function pan(dx, dy) {
    const { height } = stage.getBoundingClientRect();
    const step = 2 * view.distance * Math.tan(THREE.MathUtils.degToRad(FIELD_OF_VIEW / 2)) / height;
    const move = new THREE.Vector3(-dx * step, dy * step, 0).applyQuaternion(camera.quaternion);
    view.target.add(move).clampLength(0, 2);
    stale = true;
  }

  function zoom(factor) {
    view.distance = Math.max(1.05, Math.min(12, view.distance * factor));
    stale = true;
  }

  function reset() {
    Object.assign(view, home);
    view.target.set(0, 0, 0);
    stale = true;
  }

  function followPointers() {
    const pointers = new Map();
    const canvas = renderer.domElement;
    canvas.addEventListener("pointerdown", (event) => {
      pointers.set(event.pointerId, event);
      canvas.setPointerCapture(event.pointerId);
      turn(false);
    });
    canvas.addEventListener("pointermove", (event) => {
      const last = pointers.get(event.pointerId);
      if (!last) return;
      const [dx, dy] = [event.clientX - last.clientX, event.clientY - last.clientY];
      const other = [...pointers.values()].find((pointer) => pointer.pointerId !== event.pointerId);
      pointers.set(event.pointerId, event);
      if (other) {
        const distance = (e) => Math.hypot(e.clientX - other.clientX, e.clientY - other.clientY);
        zoom(distance(last) / Math.max(distance(event), 1));
        pan(dx / 2, dy / 2);
      } else if (event.shiftKey || event.buttons & 6) pan(dx, dy);
      else orbit(dx, dy);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, (event) => pointers.delete(event.pointerId));
    }
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("dblclick", reset);
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      zoom(Math.exp(Math.max(-100, Math.min(100, event.deltaY)) * 0.002));
    }, { passive: false });
  }

  function followKeys() {
    const actions = {
      ArrowLeft: () => orbit(-20, 0),
      ArrowRight: () => orbit(20, 0),
      ArrowUp: () => orbit(0, -20),
      ArrowDown: () => orbit(0, 20),
      "+": () => zoom(0.9),
      "-": () => zoom(1.1),
      0: reset,
    };
    stage.addEventListener("keydown", (event) => {
      if (event.target !== stage || !actions[event.key]) return;
      event.preventDefault();
      turn(false);
      actions[event.key]();
    });
  }

  function offerClips() {
    const picker = document.getElementById("clip");
    const { clips } = sides[sides.length - 1];
    picker.parentElement.hidden = !clips.length;
    clips.forEach((clip, index) => picker.append(new Option(clip.name.replace(/[\p{Cc}\p{Cf}]/gu, "?") || `animation ${index + 1}`, index)));
    picker.addEventListener("change", () => {
      for (const side of sides) {
        side.mixer.stopAllAction();
        const clip = side.clips[picker.value];
        if (clip) side.mixer.clipAction(clip).play();
        side.playing = Boolean(clip);
      }
      stale = true;
    });
  }

  async function start() {
    makeRenderer();
    camera = new THREE.PerspectiveCamera(FIELD_OF_VIEW, 1, 0.02, 50);
    const legacy = parseInt(THREE.REVISION, 10) < 155; // lights had a factor of π
    light = new THREE.DirectionalLight(0xffffff, legacy ? 0.45 : 0.45 * Math.PI);
    const surroundings = makeSurroundings();
    for (const id of ["before", "after"]) {
      const data = document.getElementById(`model-${id}`);
      if (!data) continue;
      const gltf = await meshstyle.load(data.textContent.trim());
      data.remove();
      sides.push(makeSide(gltf, surroundings));
    }
    resize();
    new ResizeObserver(resize).observe(stage);
    followPointers();
    followKeys();
    offerClips();
    if (wipe) wipe.addEventListener("input", () => { stale = true; });
    turnButton.addEventListener("click", () => turn(!view.turning));
    turn(!window.matchMedia("(prefers-reduced-motion: reduce)").matches);
    draw();
    say("ready", "");
    requestAnimationFrame(tick);
  }

  start().catch((error) => {
    const webgl = /webgl/i.test(error.message);
    say("failed", webgl ? "This browser has no WebGL, which the 3D view needs." : `The model cannot be shown: ${error.message}`);
    if (!webgl) console.error(error);
  });
})();
