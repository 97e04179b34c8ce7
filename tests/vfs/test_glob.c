/* Patterns: what they match, in which order, and that none takes forever. */
#include "support.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vfs/glob.h"

static bool matches(const char *pattern, const char *name) {
    return stoa_glob_match(pattern, strlen(pattern), name);
}

static void parts_match_by_their_wildcards(void **state) {
    (void)state;
    assert_true(matches("*.csv", "a.csv"));
    assert_true(matches("*", "a"));
    assert_true(matches("a*b*c", "aXbYbZc"));
    assert_false(matches("a*b*c", "aXbYbZ"));
    assert_true(matches("**", "abc"));
    assert_true(matches("?", "ü"));
    assert_false(matches("?", "ab"));
    assert_true(matches("a?c", "abc"));
    assert_false(matches("a?c", "ac"));
    assert_true(matches("[a-c]x", "bx"));
    assert_false(matches("[a-c]x", "dx"));
    assert_true(matches("[!a-c]x", "dx"));
    assert_true(matches("[^a-c]x", "dx"));
    assert_false(matches("[!a-c]x", "ax"));
    assert_true(matches("[]]", "]"));
    assert_true(matches("[!]]", "x"));
    assert_true(matches("[a-]", "-"));
    assert_true(matches("[ä-ü]", "ö"));
    assert_true(matches("\\*", "*"));
    assert_false(matches("\\*", "a"));
    assert_true(matches("[\\]]", "]"));
    assert_false(matches("abc", "abcd"));
    assert_false(matches("abcd", "abc"));
    assert_true(matches("", ""));
}

static void hidden_names_need_a_pattern_that_begins_so(void **state) {
    (void)state;
    assert_false(matches("*", ".hidden"));
    assert_false(matches("?hidden", ".hidden"));
    assert_false(matches("[.]hidden", ".hidden"));
    assert_true(matches(".*", ".hidden"));
}

static void bytes_that_are_no_text_match_one_by_one(void **state) {
    (void)state;
    assert_true(matches("?", "\xFF"));
    assert_true(matches("a*", "a\xFF\xFE"));
    assert_true(matches("??", "\xC3\x28"));
    assert_true(matches("?", "\xC3"));
}

static void many_stars_end_soon(void **state) {
    (void)state;
    char name[2001], pattern[601];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (size_t i = 0; i + 1 < sizeof pattern; i += 2) {
        memcpy(pattern + i, "*a", 2);
    }
    pattern[sizeof pattern - 2] = 'b';
    pattern[sizeof pattern - 1] = '\0';
    assert_false(matches(pattern, name));
}

static stoa_pool *pool;
static stoa_fs_registry *registry;
static stoa_error err;

static int set_up(void **state) {
    (void)state;
    const char *const files[] = {
        "memory:/d/b.csv",
        "memory:/d/a.csv",
        "memory:/d/c.json",
        "memory:/d/.hidden.csv",
        "memory:/d/x/a.csv",
        "memory:/d/x/y/a.csv",
        "memory:/d/x/y/z/deep.csv",
        "memory:/d/.git/no.csv",
        "memory:/d/year=2024/p.parquet",
        "memory:/d/year=2025/p.parquet",
        "memory:/d/st*r.csv",
        "memory:/d/[odd].csv",
    };
    err = (stoa_error)STOA_ERROR_NONE;
    pool = support_pool_open();
    assert_ok(stoa_fs_registry_create(pool, &registry, &err), err);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *parent = NULL;
        assert_ok(stoa_vfs_parent(pool, files[i], &parent, &err), err);
        assert_ok(stoa_vfs_make_directories(registry, parent, NULL, &err), err);
        assert_ok(stoa_vfs_replace(registry, files[i], NULL, "x", 1, &err), err);
        stoa_pool_free_string(pool, parent);
    }
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    stoa_fs_registry_close(registry);
    support_pool_close(pool);
    return 0;
}

static stoa_status add_line(void *user, const char *uri, const stoa_file_info *info,
                            stoa_error *error) {
    (void)error;
    assert_int_equal(info->size, 1);
    strcat(user, uri);
    strcat(user, "\n");
    return STOA_OK;
}

static void assert_finds(const char *pattern, const char *wanted) {
    char found[4096] = "";
    assert_ok(stoa_vfs_glob(registry, pattern, NULL, pool, add_line, found, &err), err);
    assert_string_equal(found, wanted);
}

static void patterns_find_files_in_order(void **state) {
    (void)state;
    assert_finds("memory:/d/[a-c].csv", "memory:/d/a.csv\nmemory:/d/b.csv\n");
    assert_finds("memory:/d/?.*", "memory:/d/a.csv\nmemory:/d/b.csv\nmemory:/d/c.json\n");
    assert_finds("memory:/d/year=*/*.parquet",
                 "memory:/d/year=2024/p.parquet\nmemory:/d/year=2025/p.parquet\n");
    assert_finds("memory:/d/*/a.csv", "memory:/d/x/a.csv\n");
    assert_finds("memory:/*/x/*.csv", "memory:/d/x/a.csv\n");
    assert_finds("memory:/d/.*.csv", "memory:/d/.hidden.csv\n");
    assert_finds("memory:/none/*", "");
    assert_finds("memory:/d/a.csv/*", "");
    assert_finds("memory:/d/*/nothing", "");
    assert_finds("memory:/d/x*", "");
}

static void double_stars_go_down(void **state) {
    (void)state;
    assert_finds("memory:/d/**/a.csv", "memory:/d/a.csv\nmemory:/d/x/a.csv\nmemory:/d/x/y/a.csv\n");
    assert_finds("memory:/d/x/**",
                 "memory:/d/x/a.csv\nmemory:/d/x/y/a.csv\nmemory:/d/x/y/z/deep.csv\n");
    assert_finds("memory:/**/z/*.csv", "memory:/d/x/y/z/deep.csv\n");
    assert_finds("memory:/d/**/**/deep.csv", "memory:/d/x/y/z/deep.csv\n");
    assert_finds("memory:/d/**/y/**/*.csv", "memory:/d/x/y/a.csv\nmemory:/d/x/y/z/deep.csv\n");
}

static void a_backslash_takes_the_next_as_it_is(void **state) {
    (void)state;
    assert_finds("memory:/d/st\\*r.csv", "memory:/d/st*r.csv\n");
    assert_finds("memory:/d/\\[odd].c*", "memory:/d/[odd].csv\n");
    assert_finds("memory:/*/st\\*r.csv", "memory:/d/st*r.csv\n");
    assert_finds("memory:/d/a.csv", "memory:/d/a.csv\n");
}

static void bad_patterns_say_why(void **state) {
    (void)state;
    char found[4096] = "";
    char deep[1024] = "memory:";
    assert_fails(stoa_vfs_glob(registry, "memory:/d/[ab", NULL, pool, add_line, found, &err),
                 STOA_INVALID, "expected a ']'", err);
    assert_fails(stoa_vfs_glob(registry, "memory:/d/none.csv", NULL, pool, add_line, found, &err),
                 STOA_NOT_FOUND, "none.csv", err);
    for (int i = 0; i < 70; i++) {
        strcat(deep, "/*");
    }
    assert_fails(stoa_vfs_glob(registry, deep, NULL, pool, add_line, found, &err), STOA_INVALID,
                 "parts", err);
    assert_true(stoa_vfs_has_wildcard("a*b"));
    assert_false(stoa_vfs_has_wildcard("a\\*b"));
    assert_string_equal(found, "");
}

static void local_patterns_follow_no_links_downwards(void **state) {
    (void)state;
    char base[SUPPORT_PATH_BYTES], path[SUPPORT_PATH_BYTES + 64], wanted[4096], here[1024];
    support_temp_directory(base);
    (void)snprintf(path, sizeof path, "%s/sub", base);
    assert_ok(stoa_vfs_make_directories(registry, path, NULL, &err), err);
    (void)snprintf(path, sizeof path, "%s/sub/up", base);
    assert_int_equal(symlink(base, path), 0);
    (void)snprintf(path, sizeof path, "%s/sub/f.csv", base);
    assert_ok(stoa_vfs_replace(registry, path, NULL, "x", 1, &err), err);
    (void)snprintf(wanted, sizeof wanted, "%s\n", path);
    (void)snprintf(path, sizeof path, "%s/**/*.csv", base);
    assert_finds(path, wanted);
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(base), 0);
    assert_finds("sub/*.csv", "sub/f.csv\n");
    assert_finds("*/f.csv", "sub/f.csv\n");
    assert_finds("**/*.csv", "sub/f.csv\n");
    assert_finds("./*/f.csv", "./sub/f.csv\n");
    assert_finds("sub/up/*/f.csv", "sub/up/sub/f.csv\n");
    assert_int_equal(chdir(here), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_match_by_their_wildcards),
        cmocka_unit_test(hidden_names_need_a_pattern_that_begins_so),
        cmocka_unit_test(bytes_that_are_no_text_match_one_by_one),
        cmocka_unit_test(many_stars_end_soon),
        TEST(patterns_find_files_in_order),
        TEST(double_stars_go_down),
        TEST(a_backslash_takes_the_next_as_it_is),
        TEST(bad_patterns_say_why),
        TEST(local_patterns_follow_no_links_downwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
