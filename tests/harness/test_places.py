from saih.harness.places import places_in_words


def test_the_place_of_each_of_few_ranks_is_told() -> None:
    assert (
        places_in_words({0: "after step 4", 1: "after step 4"}, 2)
        == "rank 0 after step 4; rank 1 after step 4"
    )
    assert places_in_words({0: "after step 4"}, 2) == "rank 0 after step 4; no word from rank 1"


def test_of_thousands_of_ranks_the_odd_one_out_comes_first_and_the_text_stays_short() -> None:
    places = dict.fromkeys(range(8192), "after step 4") | {4711: "after step 3"}
    del places[17]
    assert places_in_words(places, 8192) == (
        "rank 4711 after step 3; 8190 ranks (0, 1, 2, 3, 4, 5, 6, 7, ...) after step 4; no word from rank 17"
    )


def test_ranks_that_are_all_elsewhere_are_not_all_listed() -> None:
    places = {rank: f"after step {rank}" for rank in range(8192)}
    words = places_in_words(places, 8192)
    assert words.startswith("rank 0 after step 0; rank 1 after step 1; ")
    assert words.endswith("; the others in 8184 more places")
    assert len(words) < 500
