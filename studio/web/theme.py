"""The look as Gradio sees it; the islands take the same colours from the style sheet's variables."""

from __future__ import annotations

import gradio as gr

TEAL = gr.themes.Color(
    c50="#EEF7F6", c100="#E3F0EE", c200="#BFE0DC", c300="#8FCBC4", c400="#5EC9BE", c500="#15857E", c600="#0B6E69",
    c700="#095B57", c800="#084A47", c900="#073C3A", c950="#052A28",
)  # fmt: skip
STONE = gr.themes.Color(
    c50="#FAFAF7", c100="#F1F1EB", c200="#E2E2DA", c300="#C9CBC7", c400="#94A3B8", c500="#5B6675", c600="#414C5B",
    c700="#2A3441", c800="#1F2733", c900="#19202B", c950="#12171F",
)  # fmt: skip
# The bundled semi-bold face holds no Latin letters, so bold is the second weight; no bundled font has Chinese glyphs,
# so the system's own follow.
SANS: list[gr.themes.Font | str] = [
    gr.themes.LocalFont("IBM Plex Sans", weights=(400, 700)),
    "Noto Sans SC",
    "PingFang SC",
    "Microsoft YaHei",
    "sans-serif",
]
MONO: list[gr.themes.Font | str] = [
    gr.themes.LocalFont("IBM Plex Mono", weights=(400, 700)),
    "ui-monospace",
    "monospace",
]


def theme() -> gr.themes.Base:
    """One accent, hairlines, an 8 pixel grid; light and dark both chosen, not inverted."""
    base = gr.themes.Base(
        primary_hue=TEAL, secondary_hue=TEAL, neutral_hue=STONE, font=SANS, font_mono=MONO,
        radius_size=gr.themes.sizes.radius_md, text_size=gr.themes.sizes.text_md,
    )  # fmt: skip
    return base.set(
        body_background_fill="#FAFAF7",
        body_background_fill_dark="#12171F",
        body_text_color="#1B2430",
        body_text_color_dark="#E6EAF0",
        body_text_color_subdued="#5B6675",
        body_text_color_subdued_dark="#94A3B8",
        background_fill_primary="#FFFFFF",
        background_fill_primary_dark="#19202B",
        background_fill_secondary="#F1F1EB",
        background_fill_secondary_dark="#1F2733",
        block_background_fill="#FFFFFF",
        block_background_fill_dark="#19202B",
        block_border_color="#E2E2DA",
        block_border_color_dark="#2A3441",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_text_color="#5B6675",
        block_label_text_color_dark="#94A3B8",
        block_shadow="none",
        block_title_text_weight="600",
        button_primary_background_fill="#0B6E69",
        button_primary_background_fill_dark="#5EC9BE",
        button_primary_background_fill_hover="#095B57",
        button_primary_background_fill_hover_dark="#8FCBC4",
        button_primary_text_color="#FFFFFF",
        button_primary_text_color_dark="#0C1A1C",
        color_accent="#0B6E69",
        border_color_primary="#E2E2DA",
        border_color_primary_dark="#2A3441",
        button_secondary_background_fill="#FFFFFF",
        button_secondary_background_fill_dark="#19202B",
        button_secondary_background_fill_hover="#F1F1EB",
        button_secondary_background_fill_hover_dark="#2A3441",
        button_secondary_border_color="#C9CBC7",
        button_secondary_border_color_dark="#414C5B",
        button_border_width="1px",
        button_border_width_dark="1px",
        checkbox_label_background_fill="#FFFFFF",
        checkbox_label_background_fill_dark="#1F2733",
        checkbox_label_background_fill_selected="#E3F0EE",
        checkbox_label_background_fill_selected_dark="#17332F",
        checkbox_label_border_color="#E2E2DA",
        checkbox_label_border_color_dark="#2A3441",
        checkbox_label_border_width="1px",
        block_info_text_color="#5B6675",
        block_info_text_color_dark="#94A3B8",
        input_border_color="#C9CBC7",
        input_border_color_dark="#414C5B",
        input_border_width="1px",
        input_border_width_dark="1px",
        input_background_fill="#FFFFFF",
        input_background_fill_dark="#1F2733",
    )
