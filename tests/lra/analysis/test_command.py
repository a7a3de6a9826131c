"""`analyze` as a user types it, on runs that were trained a moment ago."""

import json
import shlex

import numpy as np
import pytest
import torch

from attention_zoo import AttentionOperator, UnsupportedError
from lra.analysis import sequence
from lra.analysis.run import analyze as looked_at
from lra.analysis.subset import choose
from lra.cli import main
from lra.config import Place
from lra.data.prepare import find_source
from lra.protocols import get_protocol, override, with_source
from lra.results.analysis import FREQUENCIES, read_analysis
from lra.results.layout import RECORD
from lra.results.record import read_record, write_record
from lra.run.run import Teller, run
from lra.tasks import get_task
from lra.tasks.retrieval.sample import write
from tests.lra.test_results import failure
from tests.lra.tiny import config, store

from .conftest import DATA, SPECS, analyze, folder_of

LINEAR, TAYLOR, POWER = SPECS


def read(results, spec):
    folder = folder_of(results, spec)
    return read_analysis(folder, read_record(folder / RECORD))


def test_every_number_of_the_issue_is_there(analyzed):
    found, record = read(analyzed, TAYLOR), read_record(folder_of(analyzed, TAYLOR) / RECORD)
    assert (found.task, found.attention, found.seed) == ("listops", TAYLOR, 0)
    subset = found.subset
    assert (subset.split, subset.examples, subset.sequences, subset.length) == ("val", 5, 5, None)
    assert 4 <= subset.shortest <= subset.longest <= 32 and subset.tokens >= 5 * subset.shortest
    assert [one.blocks for one in found.depth] == [0, 1, 2]
    assert [(one.layer, one.operator, one.rank) for one in found.layers] == [
        (1, "FactoredOperator", 8),
        (2, "FactoredOperator", 8),
    ]
    for i, layer in enumerate(found.layers):
        assert 0 < layer.output_change < 1 and len(layer.heads) == 2
        for h, head in enumerate(layer.heads):
            (state,) = head.filters
            for name in ("w0", "w1", "wK"):
                assert state.initial[name] == record.filters.initial[i][0][name][h]
                assert state.learned[name] == record.filters.learned[i][0][name][h]
            assert head.eigenvalue_magnitudes[0] == pytest.approx(1, abs=1e-5)  # rows sum to 1
            assert head.eigenvalue_magnitudes == sorted(head.eigenvalue_magnitudes, reverse=True)
            assert len(head.eigenvalue_magnitudes) == len(head.response) == len(layer.ranks)
            assert len(head.fourier) == len(head.fourier_filtered) == len(FREQUENCIES)
            w0, w1, wK = state.learned.values()
            assert state.moved == pytest.approx((w0**2 + (w1 - 1) ** 2 + wK**2) ** 0.5, rel=1e-5)
            assert head.response[0] == pytest.approx(abs(w0 + w1 + wK), abs=1e-5)
            assert head.at_zero == pytest.approx(abs(w0), abs=1e-5)
            assert (state.gap.K, state.gap.mode) == (4, "taylor") and state.gap.distance > 0
            assert head.dominance.smoothing + head.dominance.sharpening <= 1
    said = [(one.mode, one.split, one.before.count, one.after.count) for one in found.swaps]
    assert said == [("power", "val subset", 5, 5), ("power", "test", 50, 50)]
    assert found.swaps[1].before.accuracy == record.test.accuracy
    assert found.frequencies == FREQUENCIES
    assert "one head" in found.assumptions and "no normalisation" in found.assumptions


def test_an_attention_without_filters_has_spectra_and_no_weights(analyzed):
    found = read(analyzed, LINEAR)
    for layer in found.layers:
        assert layer.output_change is None
        for head in layer.heads:
            assert head.filters == [] and head.response is head.fourier_filtered is None
            assert head.second < 1 and head.singular_values[0] >= 0.99
    assert found.swaps == []


def test_a_filter_in_one_layer_leaves_the_other_without(analyzed):
    first, second = read(analyzed, POWER).layers
    assert (first.operator, first.rank) == ("DenseOperator", None)
    assert [len(layer.heads[0].filters) for layer in (first, second)] == [0, 1]
    assert first.output_change is None and second.output_change > 0
    assert second.heads[1].filters[0].gap.mode == "power"


def test_the_numbers_are_those_of_the_model_by_definition(analyzed):
    """HFC/LFC of the embeddings, and the spectrum of layer 1, written out in numpy."""
    folder = folder_of(analyzed, LINEAR)
    weights = torch.load(folder / "best.ckpt", weights_only=True)["state_dict"]
    weights = {name.removeprefix("model."): x.double().numpy() for name, x in weights.items()}
    chosen, ratios, seconds = choose(store().splits["val"], 5, None).split, [], []
    for i in range(5):
        (tokens,), _ = chosen[i]
        x = weights["tokens.weight"][tokens] + weights["positions"][: len(tokens)]
        ratios.append(np.linalg.norm(x - x.mean(0)) / np.linalg.norm(np.ones_like(x) * x.mean(0)))
        x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
        norm = "blocks.0.attention_norm"
        x = x * weights[f"{norm}.weight"] + weights[f"{norm}.bias"]
        made = x @ weights["blocks.0.attention.qkv.weight"].T
        made = made + weights["blocks.0.attention.qkv.bias"]
        q, k = made[:, 8:16], made[:, 24:32]  # the second of two heads of width 8
        phi_q, phi_k = (np.where(z > 0, z + 1, np.exp(z)) for z in (q, k))
        A = phi_q @ phi_k.T
        A /= A.sum(1, keepdims=True)
        seconds.append(np.sort(np.abs(np.linalg.eigvals(A)))[-2])
    found = read(analyzed, LINEAR)
    assert found.depth[0].high_over_low == pytest.approx(np.mean(ratios), rel=1e-4)
    assert found.layers[0].heads[1].second == pytest.approx(np.mean(seconds), rel=1e-3)


def test_it_prints_tables_and_repeats_itself(results, capsys):
    folder = folder_of(results, TAYLOR)
    assert analyze(results, folder.name, "--examples", "2", "--length", "8") == 0
    out, err = capsys.readouterr()
    for part in (
        "|λ₂\\|",
        "w0 ",
        "HFC/LFC",
        "| power        | test       |         50 |",
        "one head",
    ):
        assert part in out.replace("\\|λ", "|λ"), part
    assert "2 examples of the validation split, seed 0, cut to at most 8 tokens" in out
    path = folder / "analysis.json"
    assert f"written: {path}" in err
    first = json.loads(path.read_text())
    words = shlex.split(first["command"])
    assert words[:3] == ["python", "run_lra.py", "analyze"]
    path.unlink()
    assert analyze(results, *words[3:]) == 0
    again = json.loads(path.read_text())
    assert first.pop("finished") != again.pop("finished") and first == again
    assert analyze(results, *words[3:], "--no-test") == 0
    less = json.loads(path.read_text())
    assert "--no-test" in less["command"] and less["swaps"] == first["swaps"][:1]
    assert main(["results", "rm", folder.name, "--yes", "--results", str(results)]) == 0


def test_the_subset_is_the_same_for_all_and_seeded():
    val = store().splits["val"]
    few, more = (choose(val, n, None).split.members.tolist() for n in (3, 10))
    assert len(few) == 3 and all(one in more for one in few) and more == sorted(more)
    assert len(choose(val, 10**6, None)) == len(val)


def test_an_analysis_of_other_weights_does_not_count_and_a_damaged_one_is_named(results):
    folder = folder_of(results, LINEAR)
    record = read_record(folder / RECORD)
    assert read_analysis(folder, record) is None
    assert analyze(results, folder.name, "--examples", "1") == 0
    path = folder / "analysis.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"checkpoint": "0" * 64}))
    assert read_analysis(folder, record) is None
    for change, message in (
        ({"schema": 9}, "schema 9, this one reads 1"),
        ({"x": 1}, "x is unknown"),
    ):
        path.write_text(json.dumps(content | change))
        with pytest.raises(ValueError, match=f"analysis.json: .*{message}"):
            read_analysis(folder, record)


def refused(results, capsys, *words, status=2):
    assert analyze(results, *words) == status
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("run_lra.py: error: ")
    return lines[0]


def test_what_cannot_be_analyzed_is_refused_in_one_line(results, capsys, monkeypatch):
    assert "no run 'nothing'" in refused(results, capsys, "nothing")
    assert "required: RUN" in refused(results, capsys)
    assert "must be a positive integer" in refused(results, capsys, "a", "--examples", "0")
    (results / "runs" / "failed").mkdir()
    write_record(results / "runs" / "failed", failure())
    line = refused(results, capsys, "failed")
    assert "only the record of its failure (`results show` has the reason)" in line

    power = folder_of(results, POWER)
    monkeypatch.setattr(sequence, "available_memory", lambda: sequence.BYTES * 2 * 16**2)
    line = refused(results, capsys, power.name, "--examples", "20")
    assert "writing down its Ā of" in line and "use --length 16 or less" in line
    assert not (power / "analysis.json").exists()
    assert analyze(results, power.name, "--examples", "20", "--length", "16") == 0
    capsys.readouterr()

    def no_dense(self):
        raise UnsupportedError("this kernel takes 8 columns")

    monkeypatch.setattr(AttentionOperator, "dense", no_dense)
    line = refused(results, capsys, power.name)
    assert "softmax+gfsa" in line and "gives no Ā of" in line and "try --length" in line
    # Factors need no Ā.
    assert analyze(results, folder_of(results, LINEAR).name, "--examples", "1") == 0
    capsys.readouterr()

    (power / "best.ckpt").unlink()
    line = refused(results, capsys, power.name)
    assert "best.ckpt is missing" in line and "repeat the run with --rerun" in line


def test_a_refused_run_is_a_line_and_the_others_go_on(results, capsys):
    linear, taylor, power = (folder_of(results, spec) for spec in SPECS)
    (linear / "best.ckpt").unlink()
    (results / "runs" / "failed").mkdir()
    write_record(results / "runs" / "failed", failure())
    words = ["failed", linear.name, taylor.name, power.name]
    assert analyze(results, *words, "--examples", "1", "--no-test") == 2
    said = capsys.readouterr().err.splitlines()
    skipped = [line for line in said if line.startswith("skipped: ")]
    assert len(skipped) == 2 and "the record of its failure" in skipped[0]
    assert skipped[1].startswith(f"skipped: {linear.name}: ")
    (error,) = [line for line in said if ": error: " in line]
    assert error == said[-1] and "2 of 4 runs could not be analysed" in error
    assert [(one / "analysis.json").exists() for one in (linear, taylor, power)] == [0, 1, 1]


def test_a_long_matrix_is_said_to_be_slow_once_and_factors_are_not(results, capsys, monkeypatch):
    monkeypatch.setattr("lra.analysis.run.LONG", 5)
    for spec, times in ((POWER, 1), (LINEAR, 0)):
        assert analyze(results, folder_of(results, spec).name, "--examples", "3", "--no-test") == 0
        assert capsys.readouterr().err.count("takes N³ operations; --length") == times


def test_memory_that_runs_out_names_the_length(results, capsys, monkeypatch):
    def full(*_):
        raise MemoryError

    monkeypatch.setattr("lra.analysis.run.measure", full)
    line = refused(results, capsys, folder_of(results, LINEAR).name, status=1)
    assert "memory ran out: use --length" in line


def test_data_that_are_made_are_said(results, capsys, tmp_path):
    name = folder_of(results, LINEAR).name
    words = ["--examples", "1", "--results", str(results), "--data-dir", str(tmp_path / "typo")]
    assert main(["analyze", name, *words]) == 0
    error = capsys.readouterr().err
    assert f"making the data in {tmp_path / 'typo'}" in error and "does not exist" in error
    assert analyze(results, name, "--examples", "1", "--length", "100000") == 0
    out, error = capsys.readouterr()
    assert "cut to" not in out and "making" not in error


def test_data_of_another_run_are_refused(results, capsys, tmp_path):
    words = ["analyze", folder_of(results, LINEAR).name, "--results", str(results)]
    folder = folder_of(results, LINEAR)
    record = json.loads((folder / RECORD).read_text())
    record["data"]["fingerprint"] = "0" * 16
    (folder / RECORD).write_text(json.dumps(record))
    assert main([*words, "--data-dir", str(DATA)]) == 2
    assert "are not those that this run began with" in capsys.readouterr().err


def test_pairs_are_two_sequences_each_and_a_class_token_counts(tmp_path):
    write(tmp_path, {"train": 24, "val": 8, "test": 8}, 0)
    few = ["task.train=24", "task.val=8", "task.test=8", "task.max_len=64", "model.dim=16"]
    few += ["training.steps=2", "training.warmup=2", "training.schedule=rsqrt", "model.layers=3"]
    few += ["training.batch=8", "model.pooling=cls"]
    protocol, modified = override(with_source(get_protocol("quick", "retrieval"), "official"), few)
    source = find_source(get_task("retrieval"), protocol.task, tmp_path)
    given = {"task": "retrieval", "data": source.fingerprint, "modified": modified}
    variant = config("softmax+gfsa:K=4", protocol=protocol, **given)
    silent = Teller(say=lambda line: None, report=lambda report: None)
    run(variant, Place(tmp_path, tmp_path), silent, measure=False)
    folder = variant.directory(tmp_path)
    found = looked_at(folder, tmp_path, examples=3, length=9, test=True)
    subset = found.subset
    assert (subset.examples, subset.sequences) == (3, 6)
    assert (subset.shortest, subset.longest) == (10, 10), "nine tokens and the class token"
    assert len(found.layers) == 3 and len(found.depth) == 4
    assert [one.split for one in found.swaps] == ["val subset", "test"]
