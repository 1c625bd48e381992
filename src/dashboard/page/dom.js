/** An element with properties and children. Text is always text: nothing of what is shown is read as markup. */
export function element(name, properties = {}, ...children) {
  const { dataset, ...others } = properties;
  const made = Object.assign(document.createElement(name), others);
  Object.assign(made.dataset, dataset);
  made.append(...children);
  return made;
}

export function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`Expected an element #${id}`);
  return found;
}

/** Sets the text where it is another: what has not changed is neither painted nor read out again. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/**
 * Makes a list's children those of the keys, in their order; those that stay are the same elements, so that focus does.
 * `make` creates one for a key.
 */
export function keyed(parent, keys, make) {
  const present = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  for (const [index, key] of keys.entries()) {
    const child = present.get(key) ?? make(key);
    present.delete(key);
    child.dataset.key = key;
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
  }
  for (const child of present.values()) child.remove();
}
