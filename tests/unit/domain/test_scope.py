"""Scopes: which there are, what reaches what, and what two sets of them have in common."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orama.domain.role import ROLE_SCOPES, roles_with
from orama.domain.scope import ALL_SCOPES, RESOURCES, SCOPES, allows, beyond, common, covers, parse_scope
from orama.errors import InvalidArgument


@pytest.mark.parametrize(
    "text",
    [
        *(
            "*",
            "db",
            "db:*",
            "db:read",
            "cache:*",
            "storage:*",
            "db:read:*",
            "pubsub:publish:news.eu",
            "pubsub:publish:room:1",
            "pubsub:*:news.eu",
            "keys:*:own",
        ),
        *("functions:invoke:hello-2", "functions:invoke:*", "keys:read:own", "keys:write:own", "audit:read"),
        *SCOPES,
    ],
)
def test_scope_that_means_something_is_taken_as_it_is(text):
    assert parse_scope(text) == text


@pytest.mark.parametrize(
    ("text", "reason", "hint"),
    [
        ("", "invalid_scope", "use '*'"),
        ("DB:read", "invalid_scope", "use '*'"),
        ("db read", "invalid_scope", "use '*'"),
        ("db:", "invalid_scope", "use '*'"),
        ("db:read:a:b", "unknown_scope", "db:read takes no resource"),
        ("pubsub:publish:a b", "invalid_scope", "use '*'"),
        ("pubsub:publish:a,b", "invalid_scope", "use '*'"),
        ("pubsub:publish:news.*", "invalid_scope", "use '*'"),
        ("pubsub:publish:", "invalid_scope", "use '*'"),
        ("*:read", "invalid_scope", "use '*'"),
        ("pubsub:publish:" + "x" * 120, "invalid_scope", "use '*'"),
        ("database:read", "unknown_scope", "the areas are db, cache, storage"),
        ("db:raed", "unknown_scope", "the actions of 'db' are read, write"),
        ("db:read:notes", "unknown_scope", "db:read takes no resource"),
        ("db:*:notes", "unknown_scope", "db:* takes no resource"),
        ("*:*:notes", "invalid_scope", "use '*'"),
        ("keys:*:others", "unknown_scope", "keys:* takes the resource 'own'"),
        ("keys:read:others", "unknown_scope", "keys:read takes the resource 'own'"),
    ],
)
def test_scope_that_means_nothing_is_refused_with_a_hint(text, reason, hint):
    with pytest.raises(InvalidArgument) as failure:
        parse_scope(text)
    assert failure.value.reason == reason
    assert hint in failure.value.text


@pytest.mark.parametrize(
    ("granted", "wanted", "reaches"),
    [
        ("*", "db:read", True),
        ("db", "db:read", True),
        ("db:*", "db:read", True),
        ("db:read", "db:read", True),
        ("db:read", "db:write", False),
        ("db:read", "db:*", False),
        ("db:read", "*", False),
        ("keys:read", "keys:read:own", True),
        ("keys:read:own", "keys:read", False),
        ("pubsub:*:news", "pubsub:publish:news", True),
        ("pubsub:*:news", "pubsub:publish", False),
        ("cache:*", "db:read", False),
        ("pubsub:publish:room:1", "pubsub:publish:room:1", True),
        ("pubsub:publish:room", "pubsub:publish:room:1", False),
    ],
)
def test_covering(granted, wanted, reaches):
    assert covers(granted, wanted) is reaches
    assert beyond({granted}, [wanted]) == ([] if reaches else [wanted])


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        ({"*"}, {"db:read", "cache:*"}, {"db:read", "cache:*"}),
        ({"db:*"}, {"db:read"}, {"db:read"}),
        ({"db:read"}, {"db:write"}, set()),
        ({"db"}, {"db:*"}, {"db:*"}),
        ({"pubsub:*:news"}, {"pubsub:publish"}, {"pubsub:publish:news"}),
        ({"functions:invoke:a", "functions:invoke:b"}, {"functions:invoke:b"}, {"functions:invoke:b"}),
        ({"db:*", "db:read"}, {"db:read", "db:write"}, {"db:read", "db:write"}),
        (set(), {"*"}, set()),
    ],
)
def test_what_two_sets_have_in_common(first, second, both):
    assert common(first, second) == common(second, first) == both


_PART = st.sampled_from(["*", "read", "write", "own"])
_SCOPE = st.one_of(
    st.just("*"),
    st.sampled_from(["db", "keys"]),
    st.builds("{}:{}".format, st.sampled_from(["db", "keys"]), _PART),
    st.builds("{}:{}:{}".format, st.sampled_from(["db", "keys"]), _PART, _PART),
)
_SCOPE_SET = st.frozensets(_SCOPE, max_size=4)


@given(_SCOPE_SET, _SCOPE_SET, _SCOPE)
def test_common_scopes_reach_exactly_what_both_sets_reach(first, second, wanted):
    both = common(first, second)
    assert allows(both, wanted) is (allows(first, wanted) and allows(second, wanted))
    assert all(not covers(one, other) for one in both for other in both if one != other)


def test_roles_reach_less_and_less_and_only_what_there_is():
    sets = list(ROLE_SCOPES.values())
    for more, less in itertools.pairwise(sets):
        assert beyond(more, less) == []
        assert beyond(less, more) != []
    for scope in ALL_SCOPES.union(*sets):
        assert parse_scope(scope) == scope


def test_roles_by_what_they_reach():
    assert roles_with(["*"]) == ("owner",)
    assert roles_with(["members:write"]) == ("owner", "admin")
    assert roles_with(["db:write", "cache:*"]) == ("owner", "admin", "member")
    assert roles_with(["db:read"]) == ("owner", "admin", "member", "reader")
    assert [scope for scope in SCOPES if not allows(ROLE_SCOPES["admin"], scope)] == []


def test_reader_changes_no_data():
    reached = {scope for scope in SCOPES if allows(ROLE_SCOPES["reader"], scope)}
    assert reached == {"db:read", "cache:read", "storage:read", "pubsub:subscribe", "functions:read"}


def test_resources_belong_to_scopes_that_there_are():
    assert set(RESOURCES) <= set(SCOPES)
