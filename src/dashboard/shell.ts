import { escapeHtml } from '../report/format.js';

/** The page before it knows anything: no data is in it. Its addresses are relative, so that it works below a path of a proxy. */
export const shell = (version: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>recsys</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="assets/dashboard/style.css">
<script type="module" src="assets/dashboard/page.js"></script>
</head>
<body>
<main>
<header>
<div>
<h1>recsys</h1>
<p class="lead" id="model">A service that learns from every event.</p>
</div>
<div class="controls">
<p id="status" class="lead">not read yet</p>
<button type="button" id="pause" aria-pressed="false">Pause</button>
<button type="button" id="forget" hidden>Forget the key</button>
</div>
</header>
<noscript><p>This page reads the service's figures with a script, which this browser does not run. They are at <a href="metrics">/metrics</a> and <a href="v1/quality">/v1/quality</a>.</p></noscript>
<section id="door" aria-labelledby="door-title" hidden>
<h2 id="door-title">A key is needed</h2>
<p id="refusal"></p>
<form id="ask">
<label for="key">API key with the scope <code>read</code> or <code>admin</code></label>
<input id="key" type="password" autocomplete="off" spellcheck="false" required pattern="rsk_[0-9a-f]+\\.[\\w\\-]+" title="rsk_, an id, a dot and a secret" placeholder="rsk_…">
<button type="submit">Show</button>
</form>
<p class="lead">It stays in this tab until the tab is closed, and goes to this service alone.</p>
</section>
<div id="figures" hidden>
<section aria-labelledby="alerts-title"><h2 id="alerts-title">Alerts</h2><div id="alerts" role="status"></div></section>
<section aria-labelledby="traffic-title"><h2 id="traffic-title">Traffic</h2><div id="traffic"></div></section>
<section aria-labelledby="quality-title"><h2 id="quality-title">Quality now</h2><div id="quality"></div>
<details><summary>The same as tables</summary><div id="numbers"></div></details></section>
<section aria-labelledby="learner-title"><h2 id="learner-title">Learner</h2><div id="learner"></div></section>
</div>
<footer>recsys ${escapeHtml(version)} · <a href="docs">API</a></footer>
</main>
</body>
</html>
`;
