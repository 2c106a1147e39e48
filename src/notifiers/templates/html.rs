//! The letter as HTML: one column, inline style only, nothing loaded from anywhere. It sets no background and no
//! text colour of its own, so a reader's dark mode stays readable. askama escapes every value.

use askama::Template;

use super::letter::Block;
use super::letter::Letter;

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>{{ subject }}</title>
</head>
<body style="margin:0;padding:16px;font-family:system-ui,-apple-system,'Segoe UI',Roboto,Arial,sans-serif;font-size:16px;line-height:1.45">
<div style="max-width:600px;margin:0 auto">
{%- for block in letter.blocks %}
{%- match block %}
{%- when Block::Fact { label, body, link } %}
<p style="margin:0 0 12px"><strong>{{ label }}</strong><br>
{%- for line in body.lines() %}{% if !loop.first %}<br>{% endif %}{{ line }}{% endfor %}
{%- if let Some(link) = link %} <a href="{{ link }}">{{ link }}</a>{% endif %}</p>
{%- when Block::Fixed(lines) %}
<pre style="margin:0 0 12px;font-family:ui-monospace,Consolas,monospace;font-size:14px;white-space:pre-wrap;word-break:break-word">
{%- for line in lines %}
{{ line }}{% endfor %}</pre>
{%- when Block::Line %}
<hr style="border:0;border-top:1px solid #888;margin:16px 0">
{%- when Block::Para(text) %}
<p style="margin:0 0 12px">{% for line in text.lines() %}{% if !loop.first %}<br>{% endif %}{{ line }}{% endfor %}</p>
{%- when Block::Steps { label, steps, last } %}
<p style="margin:0 0 4px"><strong>{{ label }}</strong></p>
<ol style="margin:0 0 8px;padding-left:24px">
{%- for step in steps %}
<li style="margin:0 0 4px">{{ step.body }}{% if let Some(link) = step.link %} <a href="{{ link }}">{{ link }}</a>{% endif %}</li>
{%- endfor %}
</ol>
<p style="margin:0 0 12px">{{ last }}</p>
{%- endmatch %}
{%- endfor %}
</div>
</body>
</html>
"#
)]
struct Page<'a> {
    subject: &'a str,
    letter: &'a Letter,
}

/// Renders it.
pub(super) fn render(subject: &str, letter: &Letter) -> String {
    // Rendering into a `String` fails only when a value's `Display` does, and all values are text.
    Page { subject, letter }.render().unwrap_or_default()
}
