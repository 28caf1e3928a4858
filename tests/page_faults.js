(() => {
  const faults = [];
  const name = (node) => {
    const element = node.nodeType === 3 ? node.parentElement : node;
    const near = element.closest("[id]");
    return `${element.tagName.toLowerCase()} in #${near ? near.id : ""}`;
  };
  const isShown = (element) =>
    element.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && !element.closest(".unseen, .skip, [aria-hidden=true]");
  const quadOf = (x, y, width, height, matrix) => {
    const corners = [[x, y], [x + width, y], [x + width, y + height], [x, y + height]];
    return matrix ? corners.map(([a, b]) => [matrix.a * a + matrix.c * b + matrix.e, matrix.b * a + matrix.d * b + matrix.f]) : corners;
  };
  const boundsOf = (quad) => {
    const xs = quad.map((p) => p[0]), ys = quad.map((p) => p[1]);
    return { left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys), bottom: Math.max(...ys) };
  };
  /* The box of a line of text is taller than its letters: a fifth is taken off above and below. */
  const trimmed = (x, y, width, height, matrix) => quadOf(x, y + 0.2 * height, width, 0.6 * height, matrix);

  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, element = node.parentElement;
    if (!node.data.trim() || /^(script|style|title|desc|option)$/i.test(element.tagName) || !isShown(element)) continue;
    const drawn = element.closest("text");
    if (drawn) {
      if (texts.some((one) => one.node === drawn)) continue;
      const box = drawn.getBBox(), whole = drawn.textContent.trim();
      if (box.width) texts.push({ node: drawn, text: whole, quad: trimmed(box.x, box.y, box.width, box.height, drawn.getScreenCTM()), frame: drawn.ownerSVGElement });
      continue;
    }
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const r of range.getClientRects())
      if (r.width > 1 && r.height > 1) texts.push({ node, text: node.data.trim(), quad: trimmed(r.left, r.top, r.width, r.height), frame: null });
  }
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width + 1) faults.push(`the page is ${document.documentElement.scrollWidth} wide in a window of ${width}`);

  for (const one of texts) {
    one.bounds = boundsOf(one.quad);
    if (one.frame) {
      const frame = one.frame.getBoundingClientRect(), b = one.bounds;
      if (b.left < frame.left - 2 || b.right > frame.right + 2 || b.top < frame.top - 2 || b.bottom > frame.bottom + 2)
        faults.push(`cut by its figure: "${one.text}" (${name(one.node)})`);
    }
  }
  for (const element of document.querySelectorAll("body *")) {
    if (!isShown(element) || element.closest("svg") || !element.textContent.trim()) continue;
    const style = getComputedStyle(element);
    const wide = style.overflowX !== "visible" && element.scrollWidth > element.clientWidth + 1;
    const tall = /hidden|clip/.test(style.overflowY) && element.scrollHeight > element.clientHeight + 2;
    if (style.display !== "inline" && (wide || tall)) faults.push(`cut: ${name(element)}: ${element.scrollWidth} in ${element.clientWidth}: "${element.textContent.trim().slice(0, 60)}"`);
  }

  /* Two quads overlap by as much as the least move that separates them. */
  const overlap = (one, other) => {
    let least = Infinity;
    for (const quad of [one, other])
      for (let i = 0; i < 2; i++) {
        const dx = quad[i + 1][0] - quad[i][0], dy = quad[i + 1][1] - quad[i][1], long = Math.hypot(dx, dy) || 1;
        const along = (q) => q.map((p) => (p[0] * dx + p[1] * dy) / long);
        const a = along(one), b = along(other);
        least = Math.min(least, Math.min(Math.max(...a), Math.max(...b)) - Math.max(Math.min(...a), Math.min(...b)));
      }
    return least;
  };
  texts.sort((a, b) => a.bounds.top - b.bounds.top);
  const fixed = (one) => one.node.parentElement.closest("nav, .sticky");
  for (let i = 0; i < texts.length; i++)
    for (let j = i + 1; j < texts.length && texts[j].bounds.top < texts[i].bounds.bottom; j++) {
      const a = texts[i], b = texts[j];
      if (a.node === b.node || b.bounds.left > a.bounds.right || b.bounds.right < a.bounds.left) continue;
      if (!fixed(a) === !fixed(b) && overlap(a.quad, b.quad) > 2)
        faults.push(`"${a.text.slice(0, 40)}" lies on "${b.text.slice(0, 40)}" (${name(a.node)})`);
    }
  return { faults, texts: texts.length };
})()
