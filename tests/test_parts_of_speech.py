"""Parts of speech: the best tagger that is there is taken, each text is tagged once, and rules agree with a tagger."""

from __future__ import annotations

import lzma
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from concepttransfer.data.coco import coco
from concepttransfer.errors import MissingResourceError, UnknownNameError
from concepttransfer.language import parts_of_speech as pos
from concepttransfer.language.build_word_table import ARCHIVE, word_table
from concepttransfer.language.parts_of_speech import Tagger, part_of_tag, tagger
from concepttransfer.language.word_forms import base_form, kinds

SHORT = {"noun": "N", "verb": "V", "adjective": "A", "number": "#", "preposition": "P", "other": "-"}


@pytest.fixture(autouse=True)
def no_tagger_of_the_users(monkeypatch, tmp_path):
    """Nothing that happens to be installed answers: nltk finds no data."""
    import nltk.data

    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    for maker in (pos._spacy, pos._nltk):
        maker.cache_clear()
    yield
    for maker in (pos._spacy, pos._nltk):
        maker.cache_clear()
    sys.modules.pop(pos.SPACY_MODEL, None)


@pytest.fixture
def nltk_data(monkeypatch, real):
    import nltk.data

    monkeypatch.setattr(nltk.data, "path", [str(real / "nltk_data")])


def parts(text, which="rules"):
    (tagged,) = tagger(which).tag([text])
    return "".join(SHORT[one.part] for one in tagged)


@pytest.mark.parametrize(
    ("caption", "wanted"),
    [
        ("a man riding a wave", "-NV-N"),
        ("a brick building", "-NN"),
        ("a man building a wall", "-NV-N"),
        ("two dogs sit on the grass", "#NVP-N"),
        ("the cat sits on a wooden bench", "-NVP-AN"),
        ("a stop sign near a park", "-NNP-N"),
        ("a living room with a red couch", "-ANP-AN"),
        ("an orange on an orange plate", "-NP-AN"),
        ("people stand around a parked train", "NVP-AN"),
        ("a woman who is holding an umbrella", "-N--V-N"),
        ("children want to play", "NV-V"),
        ("a bear is brown", "-N-A"),
        ("3 zebras graze", "#NV"),
        ("a long-necked giraffe swims to the island", "-ANVP-N"),
    ],
)
def test_the_rules_read_captions(caption, wanted):
    assert parts(caption) == wanted


def test_capitals_and_full_stops_do_not_matter():
    plain = tagger("rules").tag(["a man in a red hat is sitting"])
    assert tagger("rules").tag(["A Man in a RED hat is sitting."]) == plain


@pytest.mark.parametrize("text", ["", "  ", "...", "🙂", "ein Pferd läuft über die Straße", "a" * 5000, "!?" * 50])
def test_any_text_can_be_tagged(text):
    (tagged,) = tagger("rules").tag([text])
    assert all(one.part in SHORT for one in tagged)


@pytest.mark.parametrize(
    ("word", "kind", "base"),
    [
        ("men", "n", "man"), ("skis", "n", "ski"), ("fields", "n", "field"), ("glasses", "n", "glasses"),
        ("buses", "n", "bus"), ("grass", "n", "grass"), ("knives", "n", "knife"), ("people", "n", "people"),
        ("swinging", "v", "swing"), ("lying", "v", "lie"), ("flew", "v", "fly"), ("used", "v", "use"),
        ("biggest", "a", "big"), ("happier", "a", "happy"), ("xyzzy", "n", None), ("xyzzy", "v", None),
    ],
)  # fmt: skip
def test_base_forms(word, kind, base):
    assert base_form(word, kind) == base


def test_what_a_word_can_be_and_how_often():
    assert set(kinds("stand")) == {"n", "v"}
    assert kinds("stand")["v"] > kinds("stand")["n"]
    assert dict(kinds("giraffe")) == {"n": 0}
    assert dict(kinds("xyzzy")) == {}


def test_the_table_is_what_wordnet_says(real):
    made = word_table(real / "nltk_data" / "corpora" / "wordnet")
    ours = lzma.decompress(ARCHIVE.read_bytes()).decode("ascii")
    assert [line for line in made.splitlines() if not line.startswith(" ")] == [
        line for line in ours.splitlines() if not line.startswith(" ")
    ]


def test_a_folder_without_wordnet_is_told(tmp_path):
    with pytest.raises(MissingResourceError, match="holds no WordNet database"):
        word_table(tmp_path)


def test_without_models_rules_run_and_say_so():
    assert tagger().name == tagger("rules").name == "rules-1 over WordNet 3.0"


def test_nltks_tagger_is_taken_where_its_data_are(nltk_data):
    assert tagger().name.startswith("nltk ")
    assert parts("a man riding a wave", "auto") == "-NV-N"


def test_spacys_is_taken_first(nltk_data, monkeypatch, tmp_path):
    """A package of the model's name that gives a real, if silly, spaCy pipeline: all words are nouns."""
    package = tmp_path / "site" / pos.SPACY_MODEL
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "import spacy\n"
        "from spacy.language import Language\n"
        "@Language.component('nouns')\n"
        "def nouns(doc):\n"
        "    for token in doc:\n"
        "        token.tag_ = 'NNS'\n"
        "    return doc\n"
        "def load(**overrides):\n"
        "    model = spacy.blank('en')\n"
        "    model.add_pipe('nouns')\n"
        "    return model\n"
    )
    info = tmp_path / "site" / f"{pos.SPACY_MODEL}-3.8.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: en_core_web_sm\nVersion: 3.8.0\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert tagger().name.startswith("spaCy ")
    assert pos.SPACY_MODEL in tagger().name
    assert parts("Green dogs run", "auto") == "NNN"


def test_a_broken_model_of_spacys_is_told(monkeypatch, tmp_path):
    (tmp_path / pos.SPACY_MODEL).mkdir()
    (tmp_path / pos.SPACY_MODEL / "__init__.py").write_text("raise ImportError('made for another spaCy')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(MissingResourceError, match=r"spaCy cannot load en_core_web_sm .*--tagger rules"):
        tagger()


@pytest.mark.parametrize(("which", "remedy"), [("nltk", "nltk.downloader"), ("spacy", "spacy download")])
def test_a_tagger_that_is_named_and_not_there_is_told(which, remedy):
    with pytest.raises(MissingResourceError, match=remedy):
        tagger(which)


def test_an_unknown_tagger_is_told():
    with pytest.raises(UnknownNameError, match="Did you mean `rules`"):
        tagger("rule")


def test_each_text_is_tagged_once():
    asked = []

    def count(words):
        asked.append(tuple(words))
        return ["noun"] * len(words)

    one = Tagger("counting", count)
    first = one.tag(["a dog", "a cat", "a dog"])
    assert one.tag(["a cat", "a dog", "a cat"]) == [first[1], first[0], first[1]]
    assert asked == [("a", "dog"), ("a", "cat")]


def test_threads_get_the_same():
    texts = [f"a {colour} dog near {n} trees" for colour in ("red", "blue") for n in range(50)]
    alone = tagger("rules").tag(texts)
    with ThreadPoolExecutor(4) as pool:
        assert all(found == alone for found in pool.map(tagger("rules").tag, [texts] * 8))


@pytest.mark.parametrize(
    ("tag", "word", "after", "part"),
    [
        ("NNS", "dogs", "", "noun"), ("NN", "someone", "VBZ", "other"), ("VBZ", "is", "VBG", "other"),
        ("VBG", "running", "", "verb"), ("TO", "to", "VB", "other"), ("TO", "to", "DT", "preposition"),
        ("IN", "because", "DT", "other"), ("RP", "down", "", "preposition"), ("CD", "two", "NNS", "number"),
        ("JJR", "larger", "NN", "adjective"), ("MD", "can", "VB", "other"), ("DT", "the", "NN", "other"),
    ],
)  # fmt: skip
def test_tags_of_the_penn_treebank(tag, word, after, part):
    assert part_of_tag(tag, word, after) == part


def test_rules_and_nltk_agree_on_captions(nltk_data, real):
    """docs/concept-recall.md has the measurement over all 25,014 captions; this is every twentieth."""
    file = real / "captions" / "coco_captions_val2017.json"
    texts = [t for row in coco(file.parent, captions=file, texts_only=True, hashes=False).texts for t in row][::20]
    pairs = [
        (a.part, b.part)
        for one, other in zip(tagger("rules").tag(texts), tagger("nltk").tag(texts), strict=True)
        for a, b in zip(one, other, strict=True)
    ]
    assert len(texts) == 1251
    assert sum(a == b for a, b in pairs) / len(pairs) > 0.945
