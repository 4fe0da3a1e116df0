/** The style of all pages; they hold no other, so that its digest is all that their policy allows. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --line: #dde1e7; --text: #1a2028; --soft: #566170; --link: #0b57b7;
  --ok: #146c3c; --ok-back: #e2f4e9; --degraded: #8a4b00; --degraded-back: #fdf0d9;
  --down: #a5141c; --down-back: #fce4e4; --allowed: #3f8fd8; --refused: #d9762b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #11151a; --card: #1a2028; --line: #2d3641; --text: #e6eaf0; --soft: #9aa7b6; --link: #86b9ff;
    --ok: #7ddba3; --ok-back: #14331f; --degraded: #f5c06a; --degraded-back: #3a2a0d;
    --down: #ff9c9c; --down-back: #451b1d; --allowed: #5aa5ea; --refused: #e88d47;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 66rem; background: var(--page); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
}
a { color: var(--link); }
a:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
header { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; align-items: baseline; justify-content: space-between; }
h1 { margin: 0; font-size: 1.5rem; }
h2 { margin: 0 0 .75rem; font-size: 1.05rem; }
nav { display: flex; flex-wrap: wrap; gap: 0 1.25rem; }
nav a { padding: .35rem 0; }
nav a[aria-current] { color: inherit; font-weight: 600; text-decoration: none; }
section { margin-top: 1rem; padding: 1rem 1.25rem; background: var(--card); border: 1px solid var(--line); border-radius: .75rem; }
p { margin: .25rem 0; }
.soft, footer, time { color: var(--soft); font-size: .875rem; }
.overall { border-left-width: .5rem; }
.overall p:first-child { font-size: 1.25rem; font-weight: 600; }
.overall.ok { border-left-color: var(--ok); }
.overall.degraded { border-left-color: var(--degraded); }
.overall.down { border-left-color: var(--down); }
.state {
  display: inline-block; padding: .05rem .6rem; border-radius: 1rem; font-size: .8125rem; font-weight: 600;
  white-space: nowrap;
}
.state.ok { color: var(--ok); background: var(--ok-back); }
.state.degraded { color: var(--degraded); background: var(--degraded-back); }
.state.down { color: var(--down); background: var(--down-back); }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: .75rem; margin: .75rem 0 1rem; }
.figures dt { color: var(--soft); font-size: .8125rem; }
.figures dd { margin: 0; font-size: 1.375rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.chart { display: block; width: 100%; height: 5rem; border-bottom: 1px solid var(--line); }
.allowed { fill: var(--allowed); }
.refused { fill: var(--refused); }
.key { display: inline-block; width: .7em; height: .7em; margin: 0 .35em 0 0; }
.key ~ .key { margin-left: 1em; }
.ends { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem; }
p + table { margin-top: 1rem; }
table { width: 100%; border-collapse: collapse; table-layout: fixed; }
th, td { padding: .5rem .75rem .5rem 0; text-align: left; vertical-align: top; border-top: 1px solid var(--line); }
thead th { border-top: 0; padding-top: 0; color: var(--soft); font-size: .8125rem; font-weight: 600; }
th[scope=row] { font-weight: 600; }
thead .name { width: 24%; }
thead .narrow { width: 7.75rem; }
thead .number { width: 6.5rem; }
thead .when { width: 13rem; }
time { white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th:last-child, td:last-child { padding-right: 0; }
.number + .when, .number + td { padding-left: 1rem; }
.facts { display: flex; flex-wrap: wrap; gap: 0 1.25rem; margin: 0; color: var(--soft); font-size: .875rem; }
.facts div { display: flex; flex-wrap: wrap; gap: 0 .35rem; }
.facts dd { margin: 0; color: var(--text); }
.facts time { color: inherit; font-size: inherit; }
.span { display: block; white-space: nowrap; }
th .soft { font-weight: 400; }
footer { margin-top: 1.5rem; }
@media (max-width: 40rem) {
  body { padding: 1rem .75rem 2rem; }
  section { padding: .9rem; }
  table, tbody, tr, th, td { display: block; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tr { display: grid; grid-template-columns: 1fr auto; gap: 0 .75rem; padding: .6rem 0; border-top: 1px solid var(--line); }
  td { grid-column: 1 / -1; }
  td:has(.state) { grid-area: 1 / 2; }
  tbody tr:first-child { border-top: 0; }
  th, td, .number + td { padding: .1rem 0; border: 0; }
  td:empty { display: none; }
  .number { text-align: left; }
  [data-name]::before { content: attr(data-name) ": "; color: var(--soft); }
  .span { display: inline; }
}
`;
