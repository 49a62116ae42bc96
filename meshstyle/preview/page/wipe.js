// The slider between before and after: where it stands is the style sheet's --wipe.
"use strict";

(() => {
  const slider = document.getElementById("wipe");
  if (!slider) return;
  const follow = () => slider.parentElement.style.setProperty("--wipe", `${slider.value / 10}%`);
  slider.addEventListener("input", follow);
  follow();
})();
