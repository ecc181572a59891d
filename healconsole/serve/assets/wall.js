// Starts the terminal once its font is there (it measures its cells by it), and comes back by
// itself when the connection is lost: nobody stands at a wall with a keyboard.
"use strict";

const RETRY_MS = 3000;
const SAYS = {
  401: "this link has expired: open the one that healconsole serve printed last",
  503: "every seat is taken; waiting for one",
};
const start = window.onload;

window.onload = async (event) => {
  try {
    await document.fonts.load('16px "Roboto Mono"');
  } finally {
    start(event);
  }
  new MutationObserver(lost).observe(document.body, { attributeFilter: ["class"] });
};

async function lost(_changes, observer) {
  if (!document.body.classList.contains("-closed")) return;
  observer.disconnect();
  const notice = document.getElementById("notice");
  for (let status = 0; ; ) {
    notice.textContent = SAYS[status] || "disconnected; what you see is old; trying again";
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    try {
      status = (await fetch("/seat", { cache: "no-store" })).status;
    } catch {
      status = 0;
    }
    if (status === 204) return location.reload();
  }
}
