//! The page of `--html`: one file, no script, nothing loaded from anywhere; light, dark and on paper. askama escapes
//! every value.

use askama::Template;
use jiff::Timestamp;

use crate::policy::person_name;

use super::Integration;
use super::Simulation;
use super::picture::Picture;
use super::picture::TOP;
use super::picture::WIDTH;
use super::picture::picture;

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>everkey simulate, {{ self.day(simulation.from) }} to {{ self.day(simulation.until) }}</title>
<style>
:root{color-scheme:light dark;--bg:#fff;--fg:#1a1f27;--soft:#5d6675;--line:#e4e7ec;--stripe:#f6f7f9;--a:#2f6bd8;--b:#8bb0f2;--both:#12936a;--ice:#7a8394;--bad:#d3261a;--badbg:#fdeceb;--good:#12805c;--goodbg:#e9f7f1;--wait:#c2630a;--mail:#8d97a8}
@media (prefers-color-scheme:dark){:root{--bg:#101419;--fg:#e7eaef;--soft:#9aa4b3;--line:#2a313b;--stripe:#161b22;--a:#6b9df5;--b:#2f5fae;--both:#3ecf9b;--ice:#a3adbd;--bad:#ff6a5e;--badbg:#3a1614;--good:#45d19b;--goodbg:#10291f;--wait:#f0a04b;--mail:#748094}}
@media print{:root{--bg:#fff;--fg:#000;--soft:#444;--line:#ccc;--stripe:#f6f7f9;--a:#2f6bd8;--b:#8bb0f2;--both:#12936a;--ice:#7a8394;--bad:#d3261a;--badbg:#fff;--good:#12805c;--goodbg:#fff;--wait:#c2630a;--mail:#8d97a8}@page{size:landscape;margin:12mm}*{-webkit-print-color-adjust:exact;print-color-adjust:exact}tr,.note{break-inside:avoid}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif}
main{max-width:1280px;margin:0 auto;padding:32px 24px 64px}
h1{font-size:15px;font-weight:600;color:var(--soft);margin:0 0 12px}
h2{font-size:19px;margin:40px 0 10px}
.verdict{border-left:6px solid var(--good);background:var(--goodbg);padding:14px 18px;border-radius:4px;font-size:21px;line-height:1.35;font-weight:600;margin:0 0 18px}
.verdict.bad{border-color:var(--bad);background:var(--badbg)}
.figures{display:flex;flex-wrap:wrap;gap:8px 32px;margin:0 0 22px;padding:0;list-style:none}
.figures b{font-size:22px;display:block;line-height:1.2}
.figures li{color:var(--soft);font-size:14px}.figures b{color:var(--fg)}
.wide{overflow-x:auto}
svg.picture{display:block;width:100%;min-width:820px;height:auto}
svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif;fill:var(--fg)}
svg .year{font-weight:600;font-size:13px}svg .quarter,svg .sub{fill:var(--soft);font-size:11px}
svg line.year{stroke:var(--ice);stroke-opacity:.55}svg line.quarter{stroke:var(--line)}
svg .stripe{fill:var(--stripe)}svg .edge{stroke:var(--line)}
svg .life{fill:var(--a)}svg .life.other{fill:var(--b)}
svg .overlap{fill:var(--both);fill-opacity:.3;stroke:var(--both);stroke-opacity:.7;stroke-width:.7}
svg .freeze{fill:var(--ice);fill-opacity:.28}
svg .stop{fill:var(--bad);fill-opacity:.82;stroke:var(--fg);stroke-width:1.2;stroke-dasharray:5 3}
svg .wait{fill:var(--wait)}svg .mail{fill:var(--mail)}
svg .rotation{fill:var(--bg);stroke:var(--fg);stroke-width:1.4}
svg .escalation{fill:var(--wait);stroke:var(--bg);stroke-width:.6}
svg .badname{fill:var(--bad);font-weight:600}
.legend{display:flex;flex-wrap:wrap;gap:6px 22px;margin:0 0 12px;padding:0;list-style:none;font-size:14px;color:var(--soft)}
.legend li{display:flex;align-items:center;gap:7px}
table{border-collapse:collapse;width:100%;font-size:15px}
th,td{text-align:left;vertical-align:top;padding:9px 16px 9px 0;border-bottom:1px solid var(--line)}
th{font-size:13px;color:var(--soft);font-weight:600}
td small,th small{display:block;color:var(--soft);font-size:13px;font-weight:400}
th[scope=row]{color:var(--fg);font-size:15px}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}
.stopped{color:var(--bad);font-weight:600}
ul.notes{padding-left:20px;margin:0}ul.notes li{margin:0 0 4px}
footer{margin-top:40px;color:var(--soft);font-size:13px}
</style>
</head>
<body>
<main>
<h1>What your policies will do, {{ self.day(simulation.from) }} to {{ self.day(simulation.until) }}</h1>
<p class="verdict{% if !simulation.verdict.good %} bad{% endif %}">{{ simulation.verdict.text }}</p>
<ul class="figures">
<li><b>{{ simulation.summary.integrations }}</b>integrations</li>
<li><b>{{ simulation.summary.rotations }}</b>rotations</li>
<li><b>{{ simulation.summary.handoffs }}</b>hand-offs</li>
<li><b>{{ simulation.summary.mails }}</b>mails</li>
<li><b>{{ simulation.summary.escalations }}</b>escalations</li>
<li><b>{{ simulation.summary.sign_ins }}</b>sign-ins checked</li>
</ul>
<ul class="legend" aria-label="Legend">
<li><svg width="30" height="12" aria-hidden="true"><rect class="life" width="15" height="12" rx="2"/><rect class="life other" x="15" width="15" height="12" rx="2"/></svg>life of a credential, one after the other</li>
<li><svg width="22" height="12" aria-hidden="true"><rect class="overlap" width="22" height="12"/></svg>both work</li>
<li><svg width="12" height="12" aria-hidden="true"><path class="rotation" transform="translate(6 6)" d="M0-4.5 4.5 0 0 4.5-4.5 0z"/></svg>rotation</li>
<li><svg width="22" height="12" aria-hidden="true"><rect class="wait" y="5" width="22" height="3"/></svg>a hand-off waits for a person</li>
<li><svg width="4" height="12" aria-hidden="true"><rect class="mail" width="2" height="12"/></svg>mail</li>
<li><svg width="12" height="12" aria-hidden="true"><path class="escalation" transform="translate(6 8)" d="M0-5.5 5 3-5 3z"/></svg>escalation</li>
<li><svg width="22" height="12" aria-hidden="true"><rect class="freeze" width="22" height="12"/></svg>freeze</li>
<li><svg width="22" height="12" aria-hidden="true"><rect class="stop" width="22" height="12"/></svg>stopped, no working credential</li>
</ul>
<div class="wide">
<svg class="picture" viewBox="0 0 {{ width }} {{ picture.height }}" role="group" aria-label="One lane for each credential, from {{ self.day(simulation.from) }} to {{ self.day(simulation.until) }}; the tables below hold the same">
{%- for lane in picture.lanes %}{% if lane.is_striped %}
<rect class="stripe" x="0" y="{{ lane.y }}" width="{{ width }}" height="{{ lane.height }}"/>{% endif %}{% endfor %}
{%- for tick in picture.ticks %}
<line class="{{ tick.class }}" x1="{{ tick.x }}" y1="{{ top }}" x2="{{ tick.x }}" y2="{{ picture.bottom }}"/>
<text class="{{ tick.class }}" x="{{ tick.x }}" y="{% if tick.class == "year" %}18{% else %}34{% endif %}">{{ tick.text }}</text>{% if tick.class == "year" %}
<text class="year" x="{{ tick.x }}" y="{{ picture.foot }}" aria-hidden="true">{{ tick.text }}</text>{% endif %}
{%- endfor %}
<line class="edge" x1="0" y1="{{ top }}" x2="{{ width }}" y2="{{ top }}"/>
{%- for lane in picture.lanes %}
<g role="img" aria-labelledby="t{{ loop.index }} d{{ loop.index }}"><title id="t{{ loop.index }}">{{ lane.title }}</title><desc id="d{{ loop.index }}">{{ lane.description }}</desc>
<text x="4" y="{{ lane.middle }}"{% if lane.is_stopped %} class="badname"{% endif %}>{{ lane.name }}</text>{% if lane.is_tall %}<text class="sub" x="4" y="{{ lane.below }}">{{ lane.credential }}</text>{% endif %}
{%- for one in lane.freezes %}
<rect class="{{ one.class }}" x="{{ one.x }}" y="{{ one.y }}" width="{{ one.width }}" height="{{ one.height }}"><title>{{ one.tip }}</title></rect>
{%- endfor %}{% for one in lane.lives %}
<rect class="{{ one.class }}" x="{{ one.x }}" y="{{ one.y }}" width="{{ one.width }}" height="{{ one.height }}" rx="2"><title>{{ one.tip }}</title></rect>
{%- endfor %}{% for one in lane.overlaps %}
<rect class="{{ one.class }}" x="{{ one.x }}" y="{{ one.y }}" width="{{ one.width }}" height="{{ one.height }}"><title>{{ one.tip }}</title></rect>
{%- endfor %}{% for one in lane.stops %}
<rect class="{{ one.class }}" x="{{ one.x }}" y="{{ one.y }}" width="{{ one.width }}" height="{{ one.height }}"><title>{{ one.tip }}</title></rect>
{%- endfor %}{% for one in lane.mails %}
<rect class="{{ one.class }}" x="{{ one.x }}" y="{{ one.y }}" width="{{ one.width }}" height="{{ one.height }}"><title>{{ one.tip }}</title></rect>
{%- endfor %}{% for one in lane.waits %}
<rect class="{{ one.class }}" x="{{ one.x }}" y="{{ one.y }}" width="{{ one.width }}" height="{{ one.height }}"><title>{{ one.tip }}</title></rect>
{%- endfor %}{% for one in lane.rotations %}
<path class="rotation" transform="translate({{ one.x }} {{ one.y }})" d="M0-4.5 4.5 0 0 4.5-4.5 0z"><title>{{ one.tip }}</title></path>
{%- endfor %}{% for one in lane.escalations %}
<path class="escalation" transform="translate({{ one.x }} {{ one.y }})" d="M0-5.5 5 3-5 3z"><title>{{ one.tip }}</title></path>
{%- endfor %}
</g>
{%- endfor %}
<line class="edge" x1="{{ picture.left }}" y1="{{ top }}" x2="{{ picture.left }}" y2="{{ picture.bottom }}"/>
</svg>
</div>
<h2>Integrations</h2>
<div class="wide">
<table>
<thead><tr><th scope="col">Integration</th><th scope="col">Renewed</th><th scope="col">Overlap</th><th scope="col">Asks</th><th scope="col" class="number">Mails</th><th scope="col">To know</th></tr></thead>
<tbody>
{%- for one in simulation.integrations %}
<tr><th scope="row">{{ one.title }}<small> {{ one.name }}</small></th>
<td>{{ self.times(one.rotations) }}<small>{{ self.dates(one) }}</small></td>
<td>{{ self.overlap(one) }}</td>
<td>{% for line in self.carriers(one) %}{{ line }}<br>{% endfor %}{% if one.carried_by.is_empty() %}nobody{% endif %}</td>
<td class="number">{{ one.mails }}</td>
<td>{% for stop in one.stops %}<span class="stopped">STOPPED {{ stop.at }}</span><small>{{ stop.reason }}. {{ one.impact }}</small>{% endfor %}{% for conflict in one.conflicts %}{{ conflict.step }} of rotation {{ conflict.rotation }} {% if conflict.forced %}goes on in{% else %}waits for the end of{% endif %} the freeze {{ conflict.freeze_from }} to {{ conflict.freeze_to }}<small>{{ self.day(conflict.wanted) }} becomes {{ self.day(conflict.actual) }}</small>{% endfor %}{% if one.late > 0 %}hand-offs late: {{ one.late }}{% endif %}</td></tr>
{%- endfor %}
</tbody>
</table>
</div>
<h2>People</h2>
<div class="wide">
<table>
<thead><tr><th scope="col">Person</th><th scope="col" class="number">Hand-offs a year</th><th scope="col" class="number">Mails a year</th><th scope="col" class="number">Escalations</th><th scope="col" class="number">Longest wait, days</th><th scope="col" class="number">Never answered</th></tr></thead>
<tbody>
{%- for one in simulation.people %}
<tr><th scope="row">{{ one.name }}<small> {{ one.person }}</small></th><td class="number">{{ one.handoffs_a_year }}</td><td class="number">{{ one.mails_a_year }}</td><td class="number">{{ one.escalations }}</td><td class="number">{% match one.longest_wait_days %}{% when Some(days) %}{{ days }}{% when None %}-{% endmatch %}</td><td class="number">{{ one.unanswered }}</td></tr>
{%- endfor %}
</tbody>
</table>
</div>
<h2>Notes</h2>
<ul class="notes">
{%- for note in simulation.notes %}
<li class="note">{{ note }}</li>
{%- endfor %}
</ul>
<footer>everkey simulate, seed {{ simulation.seed }}, faults {{ simulation.faults }}, people {{ simulation.manner }}. Nothing outside was touched.</footer>
</main>
</body>
</html>
"#
)]
struct Page<'a> {
    simulation: &'a Simulation,
    picture: Picture,
    width: f64,
    top: f64,
}

impl Page<'_> {
    fn day(&self, at: impl std::borrow::Borrow<Timestamp>) -> String {
        at.borrow().strftime("%Y-%m-%d").to_string()
    }

    /// Who carries it, and how often.
    fn carriers(&self, one: &Integration) -> Vec<String> {
        one.carried_by
            .iter()
            .map(|(person, times)| format!("{} {}", person_name(person), super::times(*times)))
            .collect()
    }

    fn times(&self, number: &usize) -> String {
        super::times(*number)
    }

    /// How long two credentials work side by side.
    fn overlap(&self, one: &Integration) -> String {
        super::overlap(one).unwrap_or_else(|| "-".to_owned())
    }

    /// When an integration is renewed.
    fn dates(&self, one: &Integration) -> String {
        let renewed = one.lives.iter().filter(|life| !one.is_first(life.rotation));
        renewed.map(|life| self.day(life.staged)).collect::<Vec<_>>().join(", ")
    }
}

/// The whole page.
pub fn page(simulation: &Simulation) -> String {
    let page = Page { simulation, picture: picture(simulation), width: WIDTH, top: TOP };
    // Rendering into a `String` fails only when a value's `Display` does, and none here does.
    page.render().unwrap_or_default()
}
