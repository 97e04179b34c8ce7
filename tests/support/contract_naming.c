/* The contract of names: listing, patterns, strange names, long names, many names. */
#include "contract.h"

#include <stdio.h>
#include <string.h>

static void listing_tells_names_kinds_and_sizes(void **state) {
    contract_world *world = *state;
    contract_assert_lists(world, "", "");
    contract_put_text(world, "b", "four");
    contract_put_text(world, "a", "");
    contract_put_text(world, "d/in", "x");
    contract_put_text(world, "d/e/deeper", "x");
    contract_put_text(world, "d.txt", "x");
    contract_assert_lists(world, "", "a 0\nb 4\nd.txt 1\nd/ 0\n");
    contract_assert_lists(world, "d/", "e/ 0\nin 1\n");
    contract_assert_lists(world, "d/e", "deeper 1\n");
}

static stoa_status stop(void *user, const char *name, const stoa_file_info *info, stoa_error *err) {
    (void)name, (void)info;
    ++*(int *)user;
    return stoa_fail(err, STOA_CANCELLED, "enough");
}

static void listing_ends_when_the_caller_has_enough(void **state) {
    contract_world *world = *state;
    int calls = 0;
    contract_put_text(world, "a", "x");
    contract_put_text(world, "b", "x");
    assert_fails(stoa_vfs_list(world->registry, world->base, NULL, stop, &calls, &world->err),
                 STOA_CANCELLED, NULL, world->err);
    assert_string_equal(world->err.message, "enough");
    assert_int_equal(calls, 1);
}

static stoa_status count_entry(void *user, const char *name, const stoa_file_info *info,
                               stoa_error *err) {
    (void)name, (void)info, (void)err;
    ++*(int *)user;
    return STOA_OK;
}

static void listing_what_is_no_directory_fails_or_finds_nothing(void **state) {
    contract_world *world = *state;
    static const char *const names[] = {"no", "f"};
    contract_put_text(world, "f", "x");
    for (size_t i = 0; i < 2; i++) {
        int calls = 0;
        stoa_status status = stoa_vfs_list(world->registry, contract_at(world, names[i]), NULL,
                                           count_entry, &calls, &world->err);
        assert_int_equal(calls, 0);
        if (status != STOA_OK || !contract_has(world, STOA_FS_NO_DIRECTORIES)) {
            assert_fails(status, STOA_NOT_FOUND, "cannot list", world->err);
            contract_assert_named(world, names[i]);
        }
    }
}

struct matches {
    const contract_world *world;
    char text[4096];
};

static stoa_status add_match(void *user, const char *uri, const stoa_file_info *info,
                             stoa_error *err) {
    struct matches *matches = user;
    (void)err;
    size_t base = strlen(matches->world->base) + 1;
    assert_true(strlen(uri) > base);
    assert_false(info->is_directory);
    strncat(matches->text, uri + base, sizeof matches->text - strlen(matches->text) - 2);
    strcat(matches->text, " ");
    return STOA_OK;
}

static void assert_matches(contract_world *world, const char *pattern, const char *wanted) {
    struct matches matches = {.world = world};
    char uri[CONTRACT_URI_BYTES];
    (void)snprintf(uri, sizeof uri, "%s/%s", world->base, pattern);
    assert_ok(stoa_vfs_glob(world->registry, uri, NULL, world->pool, add_match, &matches,
                            &world->err),
              world->err);
    assert_string_equal(matches.text, wanted);
}

static void patterns_find_files_at_any_depth(void **state) {
    contract_world *world = *state;
    static const char *const names[] = {"a.csv",        "b.csv",       "b.txt",      ".hidden.csv",
                                        "d/c.csv",      "d/e/f.csv",   "d/e/.g.csv", "d/.h/i.csv",
                                        "y=2023/1.csv", "y=2024/1.csv"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        contract_put_text(world, names[i], "x");
    }
    assert_matches(world, "*.csv", "a.csv b.csv ");
    assert_matches(world, "[!a].*", "b.csv b.txt ");
    assert_matches(world, "?.txt", "b.txt ");
    assert_matches(world, "*/*.csv", "d/c.csv y=2023/1.csv y=2024/1.csv ");
    assert_matches(world, "d/**", "d/c.csv d/e/f.csv ");
    assert_matches(world, "**/*.csv", "a.csv b.csv d/c.csv d/e/f.csv y=2023/1.csv y=2024/1.csv ");
    assert_matches(world, "y=*/1.csv", "y=2023/1.csv y=2024/1.csv ");
    assert_matches(world, "no*", "");
    assert_matches(world, "no/*.csv", "");
}

static const char *const strange_names[] = {
    "with space",
    " leading and trailing ",
    "100%25",
    "%2F",
    "%",
    "quote'\"`",
    "Größe αβγ 数据",
    "\xF0\x9F\x8F\x9B",
    "a:b",
    "#?&=+",
    "key=value",
    "...",
    "..x",
    "-rf",
    "~",
    "a+b c",
    "semi;colon",
    "back\\slash",
    "(round)[square]{curly}<angle>",
    "*",
    "new\nline",
    "tab\there",
};
enum { STRANGE = sizeof strange_names / sizeof strange_names[0] };

static void names_may_hold_anything_but_slashes(void **state) {
    contract_world *world = *state;
    for (size_t i = 0; i < STRANGE; i++) {
        contract_put_text(world, strange_names[i], strange_names[i]);
    }
    for (size_t i = 0; i < STRANGE; i++) {
        contract_assert_holds(world, strange_names[i], strange_names[i]);
    }
}

struct seen {
    bool name[STRANGE];
    int others;
};

static stoa_status see(void *user, const char *name, const stoa_file_info *info, stoa_error *err) {
    struct seen *seen = user;
    bool known = false;
    (void)info, (void)err;
    for (size_t i = 0; i < STRANGE; i++) {
        if (strcmp(name, strange_names[i]) == 0) {
            known = !seen->name[i];
            seen->name[i] = true;
        }
    }
    seen->others += known ? 0 : 1;
    return STOA_OK;
}

static void strange_names_are_listed_as_they_are(void **state) {
    contract_world *world = *state;
    struct seen seen = {0};
    for (size_t i = 0; i < STRANGE; i++) {
        contract_put_text(world, strange_names[i], "x");
    }
    assert_ok(stoa_vfs_list(world->registry, world->base, NULL, see, &seen, &world->err),
              world->err);
    assert_int_equal(seen.others, 0);
    for (size_t i = 0; i < STRANGE; i++) {
        if (!seen.name[i]) {
            fail_msg("'%s' is not in the listing", strange_names[i]);
        }
    }
}

static void strange_names_are_removed_by_name(void **state) {
    contract_world *world = *state;
    for (size_t i = 0; i < STRANGE; i++) {
        contract_put_text(world, strange_names[i], "x");
        assert_ok(stoa_vfs_remove(world->registry, contract_at(world, strange_names[i]), NULL,
                                  &world->err),
                  world->err);
        assert_false(contract_exists(world, strange_names[i]));
    }
    contract_assert_lists(world, "", "");
}

static void names_may_be_bytes_of_no_encoding(void **state) {
    contract_world *world = *state;
    contract_put_text(world, "\xFF\xFE", "bytes");
    contract_assert_holds(world, "\xFF\xFE", "bytes");
    contract_put_text(world, "cut \xE6\x95", "bytes");
    contract_assert_holds(world, "cut \xE6\x95", "bytes");
}

static void names_of_other_bytes_are_refused(void **state) {
    contract_world *world = *state;
    stoa_file *file = NULL;
    stoa_status status = stoa_vfs_open(world->registry, contract_at(world, "\xFF\xFE"),
                                       STOA_OPEN_READ, NULL, &file, &world->err);
    assert_null(file);
    assert_true(status == STOA_INVALID || status == STOA_NOT_FOUND);
}

static int longest_name(const contract_world *world) {
    return world->subject->name_bytes_max == 0 ? 255 : world->subject->name_bytes_max;
}

static void long_names_are_kept_or_refused(void **state) {
    contract_world *world = *state;
    char name[CONTRACT_URI_BYTES / 2];
    int longest = longest_name(world) < 0 ? 255 : longest_name(world);
    memset(name, 'n', sizeof name);
    name[longest] = '\0';
    contract_put_text(world, name, "long");
    contract_assert_holds(world, name, "long");
    name[longest - 1] = '\0';
    assert_false(contract_exists(world, name));
    if (longest_name(world) >= 0 && !contract_lacks(world, CONTRACT_LACKS_WRITE)) {
        name[longest - 1] = 'n';
        name[longest] = 'n';
        name[longest + 1] = '\0';
        contract_assert_open_fails(world, name, STOA_OPEN_CREATE, STOA_INVALID, NULL);
    }
}

/* Where "d/.." leads is the file system's business; what it must not do is invent a file. */
static void dots_lead_to_the_file_or_nowhere(void **state) {
    contract_world *world = *state;
    static const char *const names[] = {"d/../f", "d/../../f", "../f", "d/..", ".."};
    contract_put_text(world, "f", "text");
    contract_put_text(world, "d/f", "other");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        stoa_file *file = NULL;
        char buffer[5] = "";
        stoa_status status = stoa_vfs_open(world->registry, contract_at(world, names[i]),
                                           STOA_OPEN_READ, NULL, &file, &world->err);
        if (status == STOA_OK) {
            assert_ok(stoa_file_read(file, 0, buffer, 4, &world->err), world->err);
            assert_string_equal(buffer, "text");
            assert_int_equal(i, 0);
        } else {
            assert_true(status == STOA_NOT_FOUND || status == STOA_UNSUPPORTED ||
                        status == STOA_INVALID);
            contract_assert_named(world, names[i]);
        }
        stoa_file_close(file);
    }
}

static void directories_hold_more_than_a_page_of_files(void **state) {
    enum { MANY = 1203 }; /* stores list a thousand at a time */
    contract_world *world = *state;
    char name[32];
    int calls = 0;
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof name, "many/%05d", i);
        contract_put_text(world, name, "x");
    }
    assert_ok(stoa_vfs_list(world->registry, contract_at(world, "many"), NULL, count_entry, &calls,
                            &world->err),
              world->err);
    assert_int_equal(calls, MANY);
    assert_matches(world, "many/0?00[12]", "many/00001 many/00002 many/01001 many/01002 ");
    if (!contract_lacks(world, CONTRACT_LACKS_REMOVE)) {
        assert_ok(stoa_vfs_remove_tree(world->registry, contract_at(world, "many"), NULL,
                                       &world->err),
                  world->err);
        assert_false(contract_exists(world, "many"));
    }
}

const contract_test contract_naming_tests[] = {
    CONTRACT_TEST(listing_tells_names_kinds_and_sizes, .needs = CONTRACT_LACKS_LIST),
    CONTRACT_TEST(listing_ends_when_the_caller_has_enough, .needs = CONTRACT_LACKS_LIST),
    CONTRACT_TEST(listing_what_is_no_directory_fails_or_finds_nothing,
                  .needs = CONTRACT_LACKS_LIST),
    CONTRACT_TEST(patterns_find_files_at_any_depth, .needs = CONTRACT_LACKS_LIST),
    CONTRACT_TEST(names_may_hold_anything_but_slashes),
    CONTRACT_TEST(strange_names_are_listed_as_they_are, .needs = CONTRACT_LACKS_LIST),
    CONTRACT_TEST(strange_names_are_removed_by_name,
                  .needs = CONTRACT_LACKS_REMOVE | CONTRACT_LACKS_LIST),
    CONTRACT_TEST(names_may_be_bytes_of_no_encoding, .never_ways = CONTRACT_NAMES_ARE_UTF8),
    CONTRACT_TEST(names_of_other_bytes_are_refused, .only_ways = CONTRACT_NAMES_ARE_UTF8),
    CONTRACT_TEST(long_names_are_kept_or_refused),
    CONTRACT_TEST(dots_lead_to_the_file_or_nowhere),
    CONTRACT_TEST(directories_hold_more_than_a_page_of_files, .needs = CONTRACT_LACKS_LIST),
    {.name = NULL},
};
