// Makes the drawings of the page answer to the pointer, and saves its tables. Everything works on what the page holds.
"use strict";
(() => {
  const root = document.documentElement;
  if (!("DecompressionStream" in window && "IntersectionObserver" in window)) return; // the drawings stay as they are
  root.classList.add("scripts");

  const unpack = async (id) => {
    const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).text();
  };

  // The library and the specifications, unpacked once, when the first chart needs them.
  let loading = null;
  const load = () => {
    loading ??= Promise.all([unpack("library"), unpack("charts")]).then(([library, charts]) => {
      const script = document.createElement("script");
      script.textContent = library;
      document.head.append(script);
      return JSON.parse(charts);
    });
    return loading;
  };

  // Where the plot itself begins in its drawing.
  const corner = (view) => {
    const { left, top } = view.padding();
    const [x, y] = view.origin();
    return [x + left, y + top];
  };

  const live = new Map(); // chart id -> {view, plot, ...} of the charts over time
  const drawn = new WeakMap(); // plot -> what ends its view
  const each = { s: 1, min: 60, h: 3600 };
  let zoom = null; // in seconds
  const zoomed = ({ time }) => zoom && zoom.map((at) => at / each[time]);

  // As many names of a legend stand beside each other as there is room for.
  const fitted = (spec, width) => {
    for (const { encoding } of spec.layer) {
      for (const channel of ["fill", "stroke", "strokeDash", "shape", "opacity"]) {
        const one = encoding?.[channel];
        if (!one || one.legend === null) continue;
        const names = one.legend?.values ?? one.scale?.domain ?? [];
        const longest = Math.max(...names.map((name) => (channel === "opacity" ? 4 : String(name).length)));
        const room = Math.floor((width - 40) / (Math.min(longest, 44) * 6.6 + 40));
        one.legend = { ...one.legend, columns: Math.max(1, Math.min(names.length, room)) };
      }
    }
    return spec;
  };

  const show = async (plot) => {
    const id = plot.dataset.chart;
    const { spec, readout } = (await load())[id];
    fitted(spec, plot.clientWidth);
    const time = Boolean(readout);
    const place = document.createElement("div");
    place.style.position = "absolute";
    place.style.visibility = "hidden";
    place.style.width = "100%";
    plot.append(place);
    const { view, finalize } = await window.vegaEmbed(place, { ...spec, width: "container", autosize: { type: "fit-x", contains: "padding" } }, {
      actions: false,
      ast: true, // expressions are interpreted, so that the page needs no eval
      renderer: "svg",
      tooltip: { theme: "custom", disableDefaultStyle: true },
      patch: (vega) => {
        if (!time) return vega;
        (vega.signals ??= []).push({ name: "zoom", value: zoomed(readout) });
        for (const scale of vega.scales) if (scale.name === "x") scale.domainRaw = { signal: "zoom" };
        return vega;
      },
    });
    plot.querySelector(":scope > svg")?.remove();
    drawn.get(plot)?.();
    drawn.set(plot, () => (finalize(), place.remove()));
    place.removeAttribute("style");
    plot.classList.add("live");
    if (time) follow(id, plot, view, spec, readout);
    plot.dataset.state = "live";
  };

  // Charts over time share one cursor and one range.
  const follow = (id, plot, view, spec, readout) => {
    plot.classList.add("zooms");
    const series = new Map();
    for (const { t, k, v } of spec.datasets.main) {
      if (!series.has(k)) series.set(k, []);
      series.get(k).push([t, v]);
    }
    for (const points of series.values()) points.sort((a, b) => a[0] - b[0]);
    const before = live.get(id);
    if (before?.plot === plot) {
      Object.assign(before, { view, series, readout });
      return;
    }
    const part = (name) => plot.appendChild(Object.assign(document.createElement("div"), { className: name }));
    const one = { view, plot, series, readout, cursor: part("cursor"), values: part("values"), range: part("range") };
    live.set(id, one);
    let from = null;
    const at = (event) => {
      const { left } = plot.querySelector("svg").getBoundingClientRect();
      const x = Math.max(0, Math.min(event.clientX - left - corner(one.view)[0], one.view.signal("width")));
      return one.view.scale("x").invert(x);
    };
    plot.addEventListener("pointermove", (event) => {
      const t = at(event);
      for (const other of live.values()) point(other, t, other === one);
      if (from !== null) mark(one, from, t);
    });
    plot.addEventListener("pointerleave", () => {
      for (const other of live.values()) other.cursor.style.display = other.values.style.display = "none";
    });
    plot.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "mouse" || event.button !== 0) return;
      from = at(event);
      event.preventDefault();
      window.addEventListener("pointerup", (end) => {
        const range = [from, at(end)].sort((a, b) => a - b);
        from = null;
        one.range.style.display = "none";
        const scale = one.view.scale("x");
        if (scale(range[1]) - scale(range[0]) > 5) setZoom(range.map((t) => t * each[one.readout.time]));
      }, { once: true });
    });
    plot.addEventListener("dblclick", () => setZoom(null));
  };

  const geometry = ({ view, plot }) => {
    const svg = plot.querySelector("svg").getBoundingClientRect();
    const box = plot.getBoundingClientRect();
    const [x, y] = corner(view);
    return { left: svg.left - box.left + x, top: svg.top - box.top + y, width: view.signal("width"), height: view.signal("height") };
  };

  const point = (one, t, main) => {
    const { left, top, width, height } = geometry(one);
    const x = one.view.scale("x")(t);
    Object.assign(one.cursor.style, { display: x < 0 || x > width ? "none" : "block", left: `${left + x}px`, top: `${top}px`, height: `${height}px` });
    if (!main) return;
    one.values.replaceChildren(...told(one, t));
    const right = x > width / 2;
    Object.assign(one.values.style, {
      display: "block", top: `${top + 8}px`,
      left: right ? "auto" : `${left + x + 12}px`, right: right ? `${one.plot.clientWidth - left - x + 12}px` : "auto",
    });
  };

  const mark = (one, from, to) => {
    const { left, top, height } = geometry(one);
    const scale = one.view.scale("x");
    const [a, b] = [scale(from), scale(to)].sort((x, y) => x - y);
    Object.assign(one.range.style, { display: "block", left: `${left + a}px`, width: `${b - a}px`, top: `${top}px`, height: `${height}px` });
  };

  const number = (value) => (Number.isInteger(value) ? value.toLocaleString("en") : value.toPrecision(3).replace(/e.*/, ""));

  const told = ({ series, readout }, t) => {
    const line = (name, value) => {
      const span = document.createElement("span");
      const shown = value === null || value === undefined ? "unknown" : readout.unit === "%" ? `${(value * 100).toFixed(1)} %` : `${number(value)} ${readout.unit}`;
      span.append(Object.assign(document.createElement("i"), { textContent: name, style: "font-style:normal" }), shown);
      return span;
    };
    const lines = [Object.assign(document.createElement("b"), { textContent: `${t.toFixed(2)} ${readout.time}` })];
    let sum = 0;
    for (const [name, points] of series) {
      let low = 0, high = points.length; // the last point at or before t
      while (low < high) {
        const middle = (low + high) >> 1;
        if (points[middle][0] <= t) low = middle + 1; else high = middle;
      }
      let found = points[low - 1];
      if (readout.nearest && points[low] && (!found || points[low][0] - t < t - found[0])) found = points[low];
      sum += found?.[1] ?? 0;
      lines.push(line(name, found?.[1]));
    }
    if (readout.sum) lines.push(line("together", sum));
    return lines;
  };

  const reset = document.createElement("button");
  reset.type = "button";
  reset.className = "reset";
  reset.textContent = "Show the whole run (Esc)";
  reset.addEventListener("click", () => setZoom(null));
  document.body.append(reset);
  document.addEventListener("keydown", (event) => event.key === "Escape" && setZoom(null));

  const setZoom = (range) => {
    zoom = range;
    reset.style.display = range ? "block" : "none";
    for (const { view, readout } of live.values()) view.signal("zoom", zoomed(readout)).runAsync();
  };

  // Tables as CSV.
  const quoted = (value) => {
    if (value === null || value === undefined) return "";
    const text = String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const save = async (name) => {
    const table = JSON.parse(await unpack(`table-${name}`));
    const values = Object.values(table).map(({ values, steps, scale }) => {
      let sum = 0; // numbers are told as their difference from the one before
      return values ?? steps.map((step) => (step === null ? null : (sum += step) / scale));
    });
    const rows = [Object.keys(table).map(quoted).join(",")];
    for (let row = 0; row < (values[0]?.length ?? 0); row += 1) rows.push(values.map((column) => quoted(column[row])).join(","));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${rows.join("\n")}\n`], { type: "text/csv" }));
    link.download = `${name}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };
  for (const button of document.querySelectorAll("[data-csv]")) button.addEventListener("click", () => save(button.dataset.csv));

  // Charts come to life shortly before they are seen, one after the other.
  let queue = Promise.resolve();
  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      queue = queue.then(() => show(target)).catch((error) => console.error(`${target.dataset.chart}: ${error.stack ?? error}`));
    }
  }, { rootMargin: "300px" });
  const watch = (plot) => (seen.unobserve(plot), seen.observe(plot)); // tells at once whether it is in sight
  for (const plot of document.querySelectorAll("[data-chart]")) watch(plot);

  // What live.js changes on a page that is not finished.
  window.knavtool = {
    save,
    watch,
    change: async (changed) => Object.assign(await load(), changed),
  };

  // The contents say where one is.
  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const where = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting) for (const [id, link] of links) link.classList.toggle("here", id === target.id);
    }
  }, { rootMargin: "-20% 0px -75% 0px" });
  for (const section of document.querySelectorAll("main > [id]")) where.observe(section);
})();
