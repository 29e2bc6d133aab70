"""Write the page that `dvc plots` fills, with its drawing library inside, to be opened offline.

Run it again after a new version of vl-convert; the result is committed, because `dvc plots` needs
it in every clone.
"""

from pathlib import Path

import vl_convert

from latentlab.errors import LatentlabError
from tools import run

PAGE = Path(__file__).resolve().parents[1] / ".dvc/plots_page.html"

# The templates name the schema that editors and DVC's own plots know; the bundle is one version
# on, draws them as well, and would complain of every one.
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
EMBED = f"""
window.vegaEmbed = (place, spec) => vegaEmbed(place, {{...spec, "$schema": "{SCHEMA}"}});
"""

# DVC puts what it has drawn in place of the words in braces. Its own scripts, which would come
# from the network, are left out: there is no place for them.
TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{refresh_tag}
<title>latentlab: plots</title>
<link rel="icon" href="data:,">
<!-- Vega, Vega-Lite and Vega-Embed (BSD 3-Clause), bundled by vl-convert VERSION. -->
<script>
BUNDLE
</script>
<style>
body { font-family: system-ui, sans-serif; color: #333; margin: 1rem auto; padding: 0 1rem;
       max-width: 1240px; }
body > div { overflow-x: auto; margin-bottom: 1.5rem; }
.vega-embed { display: block !important; box-sizing: border-box; }
p { margin: 0.3rem 0; }
img { max-width: 100%; height: auto; }
/* Revisions of a picture come as boxes with a style of their own, wider than a window. */
body > div[style]:not(.vega-embed) { border: 0 !important; text-align: left !important;
  white-space: normal !important; display: flex; flex-wrap: wrap; gap: 8px; }
body > div[style]:not(.vega-embed) > p { font-weight: 600; flex-basis: 100%; }
body > div[style]:not(.vega-embed) > div { border: 1px solid #ddd !important;
  margin: 0 !important; text-align: center; box-sizing: border-box; width: calc(50% - 4px); }
@media (max-width: 700px) { body > div[style]:not(.vega-embed) > div { width: 100%; } }
</style>
</head>
<body>
{plot_divs}
</body>
</html>
"""


def page() -> str:
    """The whole page."""
    bundle = vl_convert.javascript_bundle(EMBED)
    if "</script" in bundle or "{plot_divs}" in bundle:
        raise LatentlabError("the bundle holds a word that would end it early")
    # A block keeps the many short names of the bundle to itself.
    inside = "{\n" + bundle + "\n}"
    return TEMPLATE.replace("VERSION", vl_convert.__version__).replace("BUNDLE", inside)


if __name__ == "__main__":
    run(lambda: PAGE.write_text(page(), encoding="utf-8"))
