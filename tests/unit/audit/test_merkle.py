"""The log's trees against RFC 6962's arithmetic, Go's, and the verifier's."""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_logs import tile_levels
from otokura.audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    Node,
    Span,
    climb,
    consistency_spans,
    decompose,
    fold,
    inclusion_spans,
    leaf_hash,
    perfect_root,
)
from otokura.audit.proofs import Prover
from otokura.audit.tiles import Tile
from otokura.cli.verify.merkle import inclusion_root, is_consistent, tree_head

GOLDEN: dict[str, Any] = json.loads(Path(__file__).with_name("golden").joinpath("trees.json").read_text())
LARGEST = 70_000
SIZES = [int(size) for size in GOLDEN["roots"]]

small_sizes = st.integers(1, 700)


@cache
def leaves() -> list[bytes]:
    """The leaf hashes of the golden trees: leaf i is the text "leaf i"."""
    return [leaf_hash(b"leaf %d" % index) for index in range(LARGEST)]


class Levels:
    """The tiles of the golden tree, by plain halving."""

    def __init__(self) -> None:
        self.levels = tile_levels(leaves())

    async def tile(self, tile: Tile) -> list[bytes]:
        assert tile.level is not None
        return list(self.levels[tile.level][tile.start : tile.stop])


@pytest.fixture(scope="module")
def levels() -> Levels:
    return Levels()


def golden_root(size: int) -> bytes:
    return base64.b64decode(GOLDEN["roots"][str(size)])


def golden_path(case: dict[str, Any]) -> list[bytes]:
    return [base64.b64decode(hash_) for hash_ in case["path"]]


def test_roots_are_those_of_go_while_the_tree_grows() -> None:
    frontier = Frontier()
    assert frontier.root() == golden_root(0) == EMPTY_ROOT
    for size, leaf in enumerate(leaves(), start=1):
        frontier.append(leaf)
        if size in SIZES:
            assert frontier.root() == golden_root(size), size
    assert frontier.size == LARGEST


async def test_roots_are_those_of_go_from_tiles(levels: Levels) -> None:
    for size in SIZES:
        assert await Prover(levels, size).root() == golden_root(size), size


@pytest.mark.parametrize("case", GOLDEN["inclusion"], ids=lambda case: f"{case['index']}-of-{case['size']}")
async def test_inclusion_proofs_are_those_of_go(levels: Levels, case: dict[str, Any]) -> None:
    path = await Prover(levels, case["size"]).inclusion(case["index"])
    assert path == golden_path(case)
    root = golden_root(case["size"])
    leaf = leaves()[case["index"]]
    assert climb(leaf, case["index"], case["size"], path) == root
    assert inclusion_root(leaf, case["index"], case["size"], path) == root


@pytest.mark.parametrize("case", GOLDEN["consistency"], ids=lambda case: f"{case['old']}-{case['new']}")
async def test_consistency_proofs_are_those_of_go(levels: Levels, case: dict[str, Any]) -> None:
    path = await Prover(levels, case["new"]).consistency(case["old"])
    assert path == golden_path(case)
    old, new = (case["old"], golden_root(case["old"])), (case["new"], golden_root(case["new"]))
    assert is_consistent(old, new, path)
    assert not is_consistent(old, (case["new"], bytes(32)), path)
    assert not is_consistent((case["old"], bytes(32)), new, path)


@given(small_sizes)
def test_every_root_is_the_recursive_definition(size: int) -> None:
    frontier = Frontier()
    for leaf in leaves()[:size]:
        frontier.append(leaf)
    assert frontier.root() == tree_head(leaves()[:size])


@given(small_sizes.flatmap(lambda size: st.tuples(st.integers(0, size - 1), st.just(size))), st.data())
async def test_an_inclusion_proof_proves_one_leaf_in_one_place(
    case: tuple[int, int], data: st.DataObject
) -> None:
    index, size = case
    root = tree_head(leaves()[:size])
    path = [tree_head(leaves()[span.start : span.stop]) for span in inclusion_spans(index, size)]
    assert inclusion_root(leaves()[index], index, size, path) == root
    assert inclusion_root(leaf_hash(b"another"), index, size, path) != root
    assert inclusion_root(leaves()[index], index, size, [*path, bytes(32)]) != root
    if path:
        assert inclusion_root(leaves()[index], index, size, path[:-1]) != root
        at = data.draw(st.integers(0, len(path) - 1))
        broken = [*path[:at], bytes(32), *path[at + 1 :]]
        assert inclusion_root(leaves()[index], index, size, broken) != root
        elsewhere = data.draw(st.integers(0, size - 1).filter(lambda other: other != index))
        assert inclusion_root(leaves()[index], elsewhere, size, path) != root


@given(small_sizes.flatmap(lambda new: st.tuples(st.integers(1, new), st.just(new))), st.data())
def test_a_consistency_proof_proves_one_history(case: tuple[int, int], data: st.DataObject) -> None:
    old, new = case
    roots = (old, tree_head(leaves()[:old])), (new, tree_head(leaves()[:new]))
    path = [tree_head(leaves()[span.start : span.stop]) for span in consistency_spans(old, new)]
    assert is_consistent(*roots, path)
    assert not is_consistent(*roots, [*path, bytes(32)])
    changed = data.draw(st.integers(0, old - 1))
    rewritten = [*leaves()[:changed], leaf_hash(b"another"), *leaves()[changed + 1 : new]]
    assert not is_consistent(roots[0], (new, tree_head(rewritten)), path)


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_a_tree_goes_on_from_what_was_stored_of_it(first: int, more: int) -> None:
    whole, resumed = Frontier(), Frontier()
    for leaf in leaves()[:first]:
        whole.append(leaf)
    resumed = Frontier(whole.size, list(whole.peaks))
    for leaf in leaves()[first : first + more]:
        assert whole.append(leaf) == resumed.append(leaf)
    assert whole.root() == resumed.root()


def test_the_frontier_names_each_full_tile_once(levels: Levels) -> None:
    frontier = Frontier()
    completed = [node for leaf in leaves() for node in frontier.append(leaf)]
    assert {node for node, _ in completed} == {Node(8, i) for i in range(273)} | {Node(16, 0)}
    assert len(completed) == 274
    for node, hash_ in completed:
        assert levels.levels[node.height // 8][node.index] == hash_


@given(st.integers(0, 1 << 40))
def test_a_tree_falls_apart_into_as_many_nodes_as_its_size_has_bits(size: int) -> None:
    nodes = decompose(Span(0, size))
    assert sum(1 << node.height for node in nodes) == size
    assert len(nodes) == size.bit_count()


def test_what_is_not_a_tree_is_refused() -> None:
    with pytest.raises(ValueError, match="2 peaks, not 1"):
        Frontier(3, [bytes(32)])
    with pytest.raises(ValueError, match="power of two"):
        perfect_root([bytes(32)] * 3)
    with pytest.raises(ValueError, match="not a subtree"):
        decompose(Span(1, 3))
    with pytest.raises(ValueError, match="not in a tree"):
        inclusion_spans(5, 5)
    with pytest.raises(ValueError, match="not a prefix"):
        consistency_spans(6, 5)
    assert fold([]) == EMPTY_ROOT
