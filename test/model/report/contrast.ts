/**
 * A function for the page, as text because the browser's types are not the project's: `contrastProblems(least)` lists every
 * visible text whose contrast with what is painted behind it is below `least` (WCAG 2, relative luminance). What lies
 * behind is asked of the browser at the text's middle, so that bars and bands count too.
 */
export const contrastProblems = String.raw`(least) => {
  const parse = (text) => {
    const [r = 0, g = 0, b = 0, a = 1] = (text.match(/[\d.]+/g) ?? []).map(Number);
    return text.startsWith('rgb') ? [r, g, b, a] : [0, 0, 0, 0];
  };
  const over = ([r, g, b, a], [r2, g2, b2]) => [
    r * a + r2 * (1 - a),
    g * a + g2 * (1 - a),
    b * a + b2 * (1 - a),
    1,
  ];
  const luminance = ([r, g, b]) => {
    const linear = (c) => (c <= 10.31475 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  };
  const painted = (element) => {
    const style = getComputedStyle(element);
    if (!(element instanceof SVGElement) || element instanceof SVGSVGElement) return parse(style.backgroundColor);
    if (element instanceof SVGTextElement || element instanceof SVGTSpanElement) return [0, 0, 0, 0];
    const [r, g, b, a] = parse(style.fill);
    return [r, g, b, a * Number(style.fillOpacity) * Number(style.opacity)];
  };
  const problems = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let checked = 0;
  for (let node = walker.nextNode(); node && checked < 1500; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (!parent || (node.textContent ?? '').trim() === '' || parent.closest('title, script, style, desc')) continue;
    if (!parent.checkVisibility({ checkVisibilityCSS: true })) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    if (range.getBoundingClientRect().width < 2) continue;
    parent.scrollIntoView({ block: 'center', behavior: 'instant' });
    const box = range.getClientRects()[0];
    if (!box) continue;
    checked++;
    const stack = document.elementsFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    const style = getComputedStyle(parent);
    // Lettering with a halo stands on its halo, as long as nothing is drawn over it.
    const halo = style.paintOrder.startsWith('stroke') && stack[0] === parent ? [parse(style.stroke)] : [];
    const layers = [...halo, ...stack.map(painted)];
    const ground = layers
      .reverse()
      .reduce((below, layer) => over(layer, below), parse(getComputedStyle(document.body).backgroundColor));
    const ink = over(parse(parent instanceof SVGElement ? style.fill : style.color), ground);
    const [light = 0, dark = 0] = [luminance(ink), luminance(ground)].sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05);
    if (ratio < least)
      problems.push(ratio.toFixed(2) + ' <' + parent.tagName + ' class="' + (parent.getAttribute('class') ?? '') + '"> ' + node.textContent.trim().slice(0, 40));
  }
  if (checked < 50) problems.push('only ' + checked + ' texts were found to check');
  return [...new Set(problems)].slice(0, 20);
}`;
