/**
 * The looks of the report. Light and dark by the reader's setting, and paper. State is carried by marks, words and the
 * shape of the line between links as well as by colour.
 */
export const STYLE_SHEET = `
:root {
  --paper: #f6f7f9; --card: #ffffff; --ink: #16191f; --soft: #59616e; --line: #d9dde4; --code: #f0f2f5;
  --good: #137a43; --good-tint: #e6f4ec; --bad: #c02626; --bad-tint: #fdecec;
  --warn: #8f5b00; --warn-tint: #fdf3df; --off: #5d6572; --off-tint: #eceef2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #0e1116; --card: #171b22; --ink: #e8ebf0; --soft: #a0a9b6; --line: #2c333e; --code: #0f1319;
    --good: #4ccb86; --good-tint: #12291d; --bad: #ff7b76; --bad-tint: #331718;
    --warn: #f0b756; --warn-tint: #2e2413; --off: #929cab; --off-tint: #20262f;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body {
  margin: 0; background: var(--paper); color: var(--ink); overflow-wrap: anywhere;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
}
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .875em; }
main { max-width: 52rem; margin: 0 auto; padding: 3rem 1.25rem 4rem; }
a { color: inherit; text-underline-offset: .15em; }
a:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; border-radius: 4px; }
.good { --accent: var(--good); --accent-tint: var(--good-tint); }
.mixed { --accent: var(--warn); --accent-tint: var(--warn-tint); }
.bad { --accent: var(--bad); --accent-tint: var(--bad-tint); }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
ol { list-style: none; margin: 0; padding: 0; }
dl, dd, p, h1, h2, pre { margin: 0; }

.kind { color: var(--soft); font-size: .8125rem; font-weight: 600; letter-spacing: .08em; text-transform: uppercase; }
h1 { display: flex; align-items: center; gap: .9rem; margin-top: .35rem; font-size: 2.5rem; line-height: 1.15; letter-spacing: -.02em; color: var(--accent); }
.seal { display: grid; place-items: center; flex: none; width: 3rem; height: 3rem; border-radius: 50%; background: var(--accent); color: var(--card); font-size: 1.5rem; }
.verdict { margin-top: .75rem; font-size: 1.1875rem; max-width: 40rem; }
.subject { margin-top: 1.5rem; padding: 1rem 1.25rem; background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
.subject dd { font-size: .9375rem; }

dl > div { display: grid; grid-template-columns: 6rem minmax(0, 1fr); gap: .15rem .75rem; padding: .2rem 0; }
dt { color: var(--soft); font-size: .875rem; padding-top: .05rem; }
dd { overflow-wrap: anywhere; white-space: pre-wrap; }
.digest { -webkit-user-select: all; user-select: all; cursor: copy; font-size: .8125rem; overflow-wrap: anywhere; background: var(--code); border-radius: 4px; padding: .1em .3em; -webkit-box-decoration-break: clone; box-decoration-break: clone; }

nav { margin: 2rem 0 2.25rem; }
nav ol { display: flex; flex-wrap: wrap; gap: .5rem 0; }
nav li { min-width: 0; display: flex; align-items: center; font-size: .875rem; }
nav li + li::before { content: ""; width: 1.125rem; margin: 0 .375rem; border-top: 2px solid var(--tone); }
nav li.failed + li::before, nav li.skipped + li::before, nav li.skipped::before { border-top-style: dashed; }
nav a { min-width: 0; display: flex; align-items: center; gap: .4rem; text-decoration: none; border-radius: 999px; padding: .1rem .3rem .1rem .1rem; }
nav a:hover .name { text-decoration: underline; }
nav .name { min-width: 0; }
nav .mark { width: 1.375rem; height: 1.375rem; font-size: .75rem; border-width: 1.5px; }
nav .skipped .name { color: var(--soft); }

.passed { --tone: var(--good); --tint: var(--good-tint); }
.failed { --tone: var(--bad); --tint: var(--bad-tint); }
.warning { --tone: var(--warn); --tint: var(--warn-tint); }
.skipped { --tone: var(--off); --tint: var(--off-tint); }
.mark { display: grid; place-items: center; flex: none; width: 2.5rem; height: 2.5rem; border: 2px solid var(--tone); border-radius: 50%; background: var(--tone); color: var(--card); font-weight: 700; font-size: 1.125rem; line-height: 1; }
.skipped .mark { background: var(--paper); color: var(--tone); border-style: dashed; }
.failed .mark { border-radius: 22%; }

.link { position: relative; display: grid; grid-template-columns: 2.5rem minmax(0, 1fr); gap: 1.125rem; padding-bottom: 1.25rem; scroll-margin-top: 1rem; }
/* The line to the next link: whole as long as the chain holds, broken after a break, dotted where nothing was checked. */
.link:not(:last-child)::before { content: ""; position: absolute; left: calc(1.25rem - 2px); top: 2.75rem; bottom: -.25rem; width: 4px; border-radius: 2px; background: var(--tone); }
.link.failed:not(:last-child)::before { border-radius: 0; background: repeating-linear-gradient(var(--tone) 0 9px, transparent 9px 18px); }
.link.skipped:not(:last-child)::before { background: repeating-linear-gradient(var(--tone) 0 3px, transparent 3px 9px); width: 3px; left: calc(1.25rem - 1.5px); }
article { min-width: 0; padding: 1rem 1.25rem 1.125rem; background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
.failed article { border: 2px solid var(--tone); background: var(--tint); }
.skipped article { border-style: dashed; background: transparent; padding-block: .7rem; }
h2 { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem .75rem; font-size: 1.125rem; line-height: 1.3; }
h2 .name { display: inline-block; min-width: 0; }
h2 .name::first-letter { text-transform: uppercase; }
.state { color: var(--tone); background: var(--tint); border: 1px solid currentColor; border-radius: 999px; padding: .05rem .6rem; font-size: .75rem; font-weight: 600; letter-spacing: .01em; }
.failed .state { background: var(--tone); color: var(--card); border-color: var(--tone); }
.summary { margin-top: .35rem; overflow-wrap: anywhere; }
.failed .summary { font-weight: 600; }
.skipped .summary { color: var(--soft); }
.proves { margin-top: .25rem; color: var(--soft); font-size: .9375rem; }
.skipped .proves { display: none; }
article dl { margin-top: .75rem; padding-top: .6rem; border-top: 1px solid var(--line); font-size: .9375rem; }
.hint { margin-top: .85rem; padding: .65rem .9rem; border-left: 4px solid var(--tone); border-radius: 0 8px 8px 0; background: var(--card); overflow-wrap: anywhere; }
.hint strong { display: block; font-size: .8125rem; color: var(--soft); }
.hint span { white-space: pre-wrap; }

footer { margin-top: 1.5rem; padding-top: 1.5rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .875rem; }
footer p + p { margin-top: .5rem; }
footer pre { margin: .4rem 0 1rem; padding: .75rem 1rem; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; background: var(--card); border: 1px solid var(--line); border-radius: 8px; color: var(--ink); }

@media (max-width: 34rem) {
  main { padding-top: 1.75rem; }
  h1 { font-size: 2rem; }
  dl > div { grid-template-columns: 1fr; }
  .link { grid-template-columns: 1.75rem minmax(0, 1fr); gap: .75rem; }
  .link > .mark { width: 1.75rem; height: 1.75rem; font-size: .875rem; }
  .link:not(:last-child)::before { left: calc(.875rem - 2px); top: 2rem; }
  .link.skipped:not(:last-child)::before { left: calc(.875rem - 1.5px); }
}
@media print {
  :root {
    --paper: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb; --code: #f2f2f2;
    --good: #0f6236; --good-tint: #fff; --bad: #a31616; --bad-tint: #fff; --warn: #744a00; --warn-tint: #fff; --off: #555; --off-tint: #fff;
  }
  @page { margin: 16mm 14mm; }
  body { font-size: 10.5pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  main { max-width: none; padding: 0; }
  nav { display: none; }
  .chain { margin-top: 1.5rem; }
  .link { padding-bottom: .8rem; }
  article, .subject, .hint, footer { break-inside: avoid; }
  h2 { break-after: avoid; }
}
`;
