"""Do pictures group by what is in them or by how they look? A map of each encoder's features, and numbers beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
import pandas as pd

from concepttransfer.analysis import On, analysis
from concepttransfer.captioning import Captions
from concepttransfer.concepts import ConceptSet, Match
from concepttransfer.features import Features
from concepttransfer.result import ESTIMATES, Result
from concepttransfer.statistics.claims import corrected

from ._embedding_map import claims as c
from ._embedding_map.groups import CATEGORY, read_groups
from ._embedding_map.labels import Labels, known, refuse_colour
from ._embedding_map.mapping import Settings, map_all, refuse_options
from ._embedding_map.rows import common_rows, drawn
from ._embedding_map.said import captions_of, outcome
from ._embedding_map.words import answer, headline, sentence

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from concepttransfer.result.live import Live

Distance = Literal["euclidean", "cosine"]


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddingMap(Result):
    """A row a picture and encoder: its place in the map, its class and category, and what was said of it.

    Rows stand in an order of which every beginning has its classes in balance. `named` says whether the caption names
    the class: `right`, `wrong`, `none named`, or `no caption`. In `estimates`, `against` is what pictures are grouped
    by: `class`, `category`, `perception` (the mean over the perceptual groups) or one of these groups; of measures that
    end in `category less perception` it is empty, or the encoder compared with. All are computed in the feature space.
    """

    kind: ClassVar[str] = "embedding-map"
    columns: ClassVar[dict[str, str]] = {
        "row_id": "string",
        "encoder": "string",
        "x": "float64",
        "y": "float64",
        "class": "string",
        "category": "string",
        "caption": "string",
        "named": "string",
    }
    figures: ClassVar[tuple[str, ...]] = ("map", "agreement", "groups")
    thumbnails: ClassVar[tuple[int, str]] = (64, "JPEG")
    main_group: ClassVar[str | None] = c.GROUP

    def summary(self) -> str:
        """Which encoders group pictures by category and which by perception, with interval, chance and n."""
        return sentence(self)

    def answer(self) -> str:
        """Which encoder goes most by category and which most by perception."""
        return answer(self)

    def headline(self) -> pd.DataFrame:
        """A row an encoder: purity of its neighbours by class, category and perception, and to which it leans."""
        return headline(self)

    def wanted_pictures(self) -> list[str]:
        """Every picture: the map shows it where the mouse is."""
        return list(dict.fromkeys(self.table["row_id"]))

    def exports(self) -> dict[str, pd.DataFrame]:
        """The map for other programs: x, y, label, picture and all that is known of each."""
        from ._embedding_map.export import frame

        return {"map": frame(self)}

    def plot_map(self) -> Figure:
        """Every picture by UMAP, an encoder a panel. Distances between groups mean little; no number uses them."""
        from ._embedding_map.maps import maps

        return maps(self)

    def plot_agreement(self) -> Figure:
        """How pictures group, 0 at chance and 1 where groups are perfect; lines: 95 % intervals for other classes.

        Those of k-means and HDBSCAN are of these clusters: they are not made again.
        """
        from ._embedding_map.figures import agreement

        return agreement(self)

    def plot_groups(self) -> Figure:
        """Nearest neighbours of one group, by what it is a group of: 0 at chance, 1 where all neighbours are of it."""
        from ._embedding_map.figures import groups

        return groups(self)

    def live(self) -> Live:
        """The map to point at: choose an encoder and what the colours say."""
        from ._embedding_map.explore import explorer

        return explorer(self).live()


@analysis("embedding-map", title="Do pictures group by what is in them or by how they look?")
def embedding_map(
    features: Annotated[list[Features], On("animals")],
    concepts: Annotated[ConceptSet | None, On("animals")],
    captions: Annotated[list[Captions] | None, On("animals")],
    *,
    rows: int = 2000,
    distance: Distance = "euclidean",
    neighbours: int = 10,
    groups: str = "",
    colour: str = CATEGORY,
    match: Match = "first",
    umap_neighbours: int = 15,
    umap_min_dist: float = 0.1,
    n_permutations: int = 1000,
    seed: int = 0,
) -> EmbeddingMap:
    """Map each encoder's features with UMAP, and measure among the features themselves how pictures group.

    Groups are the classes, their categories in WordNet, and their perceptual attributes (habitat, flippers, colour,
    size, ...). Of each: purity of nearest neighbours, silhouette, and adjusted Rand and mutual information of
    k-means and HDBSCAN with the groups. Chance permutes pictures for classes, and classes for all coarser groups, since
    a category or an attribute is a property of a class. Intervals leave out classes; no picture is ever taken twice.
    Features are means over tokens. Captions are optional: only encoders whose fit is there already have some.

    Args:
        features: of each encoder, over the same pictures.
        concepts: the class of each picture, its synset and attributes; None: there is only the map.
        captions: to show and to colour by error; None: there are none.
        rows: at most so many pictures, drawn without replacement, the classes in balance.
        distance: `euclidean`, or `cosine`: of rows brought to length 1 first.
        neighbours: nearest neighbours looked at, but at most half of the other pictures.
        groups: a YAML file with other categories and perceptual groups.
        colour: colours of the figure `map`: `category`, `class`, `error` or an attribute.
        match: which name counts when a caption names several: the `first`, the `most-specific`, or `any` of them.
        umap_neighbours: neighbours that UMAP keeps near, the picture itself among them.
        umap_min_dist: how near UMAP lets two pictures come.
        n_permutations: permutations of each p.
        seed: of all draws.

    Raises:
        EmptyDataError: no features, or all pictures of one class.
        MismatchError: the features are of different pictures.
        BadInputError: features that are not finite or all the same; a file that holds no groups; options out of range.
        UnknownNameError: there is no such attribute to colour by.
        ShapeError: fewer than 4 pictures, or no class with two.
    """
    refuse_options(rows, neighbours, umap_neighbours, umap_min_dist, n_permutations)
    common = common_rows(features)
    truth = {row: concepts.truth[row] for row in common if row in concepts.truth} if concepts else {}
    ids = drawn(common, truth, rows, seed)
    read, sha = read_groups(groups)
    labels = Labels(concepts, tuple(truth[row] for row in ids), read) if concepts and truth else None
    refuse_colour(colour, labels)
    settings = Settings(
        cosine=distance == "cosine",
        neighbours=max(1, min(neighbours, (len(ids) - 1) // 2)),
        umap_neighbours=umap_neighbours,
        umap_min_dist=umap_min_dist,
        n_permutations=n_permutations,
        seed=seed,
    )
    mapped = map_all(features, ids, labels, settings)
    study, on = features[0].study, features[0].on
    tables = [_rows(name, one.places, ids, labels, captions, match) for name, one in mapped.items()]
    scores = {name: one.scores for name, one in mapped.items() if one.scores}
    made = corrected(c.claims(scores, len(ids), len(labels.classes) if labels else 0))
    estimates = [{"study": study, "on": on} | vars(one) | vars(one.estimate) for one in made]
    return EmbeddingMap(
        table=pd.concat(tables, ignore_index=True),
        estimates=pd.DataFrame(estimates).reindex(columns=list(ESTIMATES)),
        arrays={"has": labels.has, "purity": np.stack([one.purities for one in mapped.values()])} if labels else {},
        provenance={
            "study": study,
            "on": on,
            **known(labels),
            "groups_sha256": sha,
            "pictures": len(ids),
            "pictures_not_drawn": len(common) - len(ids),
            "neighbours_looked_at": settings.neighbours,
            "options": {"rows": rows, "distance": distance, "neighbours": neighbours, "colour": colour}
            | {"match": match, "umap_neighbours": umap_neighbours, "umap_min_dist": umap_min_dist}
            | {"n_permutations": n_permutations, "seed": seed},
        },
    )


def _rows(
    encoder: str,
    places: NDArray[np.float32],
    ids: Sequence[str],
    labels: Labels | None,
    captions: Sequence[Captions] | None,
    match: Match,
) -> pd.DataFrame:
    """A row a picture of one encoder."""
    said = captions_of(captions, encoder)
    texts = [said.get(row) for row in ids]
    find = labels.concepts.find if labels else None
    found = {text: None if text is None or find is None else find(text, match) for text in set(texts)}
    category = dict(zip(labels.classes, labels.categories, strict=True)) if labels else {}
    names = list(labels.names) if labels else [""] * len(ids)
    return pd.DataFrame(
        {
            "row_id": list(ids),
            "encoder": encoder,
            "x": places[:, 0],
            "y": places[:, 1],
            "class": [name or None for name in names],
            "category": [category.get(name) for name in names],
            "caption": texts,
            "named": [outcome(found[text], name) for text, name in zip(texts, names, strict=True)],
        }
    )
