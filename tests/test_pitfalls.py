"""The pitfalls of fine-tuning that the studio guards against, each with the tests that hold its guard.

The list is checked: a test that is renamed, deleted or skipped without a condition takes its pitfall's guard with it.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

PITFALLS = {
    "parts of a batch change the loss": (
        "training/test_loop.py::test_parts_of_a_batch_give_the_step_of_the_whole",
        "training/test_ranks.py::test_one_process_parts_of_a_batch_and_two_processes_agree",
        "tasks/test_classification.py::test_the_loss_is_a_sum_so_that_parts_add_up",
    ),
    "a resumed run is another run": (
        "training/test_loop.py::test_a_resumed_run_ends_with_the_same_bits",
        "training/test_kill.py::test_killed_five_times_it_ends_with_the_same_bits",
        "training/test_run.py::test_a_run_that_goes_on_with_another_library_does_not_claim_the_same_bits",
    ),
    "a run is resumed with other settings or data": (
        "training/test_checkpoints.py::test_a_checkpoint_made_with_other_settings_is_skipped",
        "training/test_loop.py::test_a_checkpoint_of_another_shape_is_refused_before_anything_changes",
    ),
    "the best checkpoint is rotated away": (
        "training/test_checkpoints.py::test_two_are_kept_and_the_best_apart",
        "training/test_loop.py::test_patience_and_the_best_survive_a_resume",
    ),
    "a loss that is no number is drawn as nought": (
        "training/test_loop.py::test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_last_sound_checkpoint",
        "training/test_loop.py::test_a_gradient_that_is_no_number_changes_nothing",
        "runs/test_journal.py::test_non_finite_is_a_gap",
        "models/test_hardware.py::test_precision_is_bf16_only_where_units_exist_and_help",
    ),
    "gradients in a half-width format": (
        "training/test_silent_faults.py::test_weights_that_learn_are_float32_even_where_the_base_is_halved",
    ),
    "an adapter learns nothing below recomputed activations": (
        "training/test_ladder.py::test_activations_computed_twice_give_the_same_weights",
        "training/test_ladder.py::test_answers_learn_with_activations_computed_twice_too",
        "methods/test_methods.py::test_lora_moves_every_adapter_and_keeps_no_base_weights",
    ),
    "the head or the label map is lost with the adapter": (
        "methods/test_methods.py::test_a_tuned_model_answers_the_same_after_reload",
        "training/test_run_errors.py::test_a_base_that_changes_during_the_run_is_found_when_the_result_is_reloaded",
        "inference/test_package.py::test_labels",
    ),
    "tied weights come apart": (
        "tasks/test_language.py::test_every_method_learns_hidden_words_and_comes_back",
        "tasks/test_seq2seq.py::test_every_method_learns_to_translate_and_comes_back",
        "inference/test_package.py::test_chat",
    ),
    "an adapter is merged into weights that are rounded": (
        "inference/test_package.py::test_a_copy_that_answers_differently_is_not_offered",
    ),
    "padding that is the end of an answer": (
        "models/test_padding.py::test_padding_that_ends_answers_is_replaced_from_the_vocabulary",
        "training/test_batching.py::test_padding_is_masked_by_place_even_where_a_real_token_has_the_pad_id",
        "inference/test_generation.py::test_stream_stops_at_the_end_of_the_turn_where_pad_is_eos",
        "tasks/test_chat.py::test_only_answers_and_their_end_are_learnt",
    ),
    "a classifier without a padding token": (
        "tasks/test_classification.py::test_padding_changes_no_answer",
        "tasks/test_classification.py::test_models_that_read_one_way_are_read_at_their_last_token",
        "models/test_padding.py::test_without_any_other_token_it_stays_and_the_mask_tells",
    ),
    "padding on the wrong side": (
        "models/test_padding.py::test_padding_on_the_right_changes_no_answer",
        "inference/test_generation.py::test_left_padded_batch_answers_as_each_prompt_alone",
    ),
    "no chat template, or another one when it answers": (
        "models/test_templates.py::test_a_model_without_a_template_says_so",
        "inference/test_predictor.py::test_the_stored_template_is_used",
        "models/test_templates.py::test_rows_are_shown_exactly_as_the_model_sees_them",
    ),
    "the beginning of the text is marked twice": (
        "training/test_silent_faults.py::test_a_mark_that_begins_the_text_stands_there_once",
        "tasks/test_chat.py::test_what_stands_before_the_answer_is_what_the_model_will_be_asked_with",
    ),
    "texts are cut in silence": (
        "runs/test_draft.py::test_answers_that_a_length_cuts_are_told_before_the_start",
        "training/test_plan.py::test_long_texts_are_cut_and_the_share_is_said",
        "training/test_run_errors.py::test_answers_that_no_row_keeps_within_the_limit",
        "tasks/test_windows.py::test_windows_cover_the_text_and_repeat_a_few_tokens",
    ),
    "cells are read as something else": (
        "data/test_reading_text.py::test_values_survive_exactly_as_written",
        "data/test_reading_text.py::test_encodings_are_told_apart",
        "data/test_reading_text.py::test_any_delimiter_under_any_name",
        "data/test_findings.py::test_misspelt_labels_are_not_called_rare",
    ),
    "the same text trains and tests": (
        "data/test_split.py::test_every_row_once_and_no_text_in_two_parts",
        "data/test_split_ways.py::test_nothing_leaks_over_a_hundred_generated_sets",
    ),
    "rare labels, one label, labels nobody trained": (
        "data/test_checks.py::test_one_class_only",
        "data/test_checks.py::test_rare_and_uneven_labels_are_named_with_their_rows",
        "evaluation/test_metrics.py::test_a_label_the_model_never_saw_counts_against_it_and_rows_without_truth_do_not_count",
    ),
    "the best of many on the test": (
        "training/test_silent_faults.py::test_rows_of_the_test_are_read_once_and_only_after_the_last_step",
    ),
    "the same seed, other numbers": (
        "training/test_silent_faults.py::test_the_same_seed_gives_the_same_weights_and_another_seed_others",
        "data/test_split.py::test_another_process_divides_the_same_way",
        "evaluation/test_baselines.py::test_the_same_rows_give_the_same_models_in_another_process",
    ),
    "caches fill the disk": ("training/test_silent_faults.py::test_what_was_cached_for_a_run_leaves_with_its_end",),
    "the model changes on the hub": (
        "models/test_fetching.py::test_a_hub_model_arrives_without_pickles_code_or_token",
        "models/test_fetching.py::test_a_damaged_copy_is_fetched_anew",
    ),
    "an adapter that matches no layer": (
        "methods/test_methods.py::test_lora_says_when_nothing_matches",
        "methods/test_methods.py::test_attention_alone_is_smaller",
    ),
    "numbers of a model that was never saved": (
        "process/test_real_training.py::test_the_report_is_made_by_another_process_and_made_good_when_that_is_killed",
        "evaluation/test_written.py::test_whole_and_row_scores_are_sacrebleus",
    ),
    "a process forked from one that uses the accelerator": (
        "process/test_keeper.py::test_fresh_python_for_accelerators",
        "process/test_keeper.py::test_the_real_keeper_has_one_thread",
    ),
}


@pytest.mark.parametrize("pitfall", PITFALLS)
def test_it_is_guarded(pitfall):
    for name in PITFALLS[pitfall]:
        file, function = name.split("::")
        held = {part.name: part for part in ast.parse((TESTS / file).read_text("utf-8")).body if isinstance(part, ast.FunctionDef)}  # fmt: skip
        assert function in held, name
        marks = {ast.unparse(mark) for mark in held[function].decorator_list}
        assert not [mark for mark in marks if "mark.skip(" in mark or "xfail" in mark], name
