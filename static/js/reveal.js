// Shows a password while it is typed: <button data-reveal="id of its field" data-hide="Hide" hidden>. Without scripts the
// button stays hidden.

for (const button of document.querySelectorAll("[data-reveal]")) {
  const field = document.getElementById(button.dataset.reveal);
  const label = button.querySelector("[data-reveal-label]");
  const show = label.textContent;
  const turn = (shown) => {
    field.type = shown ? "text" : "password";
    label.textContent = shown ? button.dataset.hide : show;
  };
  button.hidden = false;
  button.addEventListener("click", () => turn(field.type === "password"));
  // What is sent is a password again, so that browsers keep it as one.
  field.form?.addEventListener("submit", () => turn(false));
}
