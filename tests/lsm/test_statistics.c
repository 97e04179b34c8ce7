/* Statistics: they count what was done, and their text is one that Prometheus reads. */
#include <ctype.h>
#include <stdlib.h>

#include <stoa/state_maintenance.h>

#include "store_support.h"

static stoa_pool *pool;

static void put(struct store_test *test, int64_t user) {
    stoa_error err;
    const stoa_cell row[] = {{.i = user}, {.i = 2 * user}, {.bytes = "name", .size = 4}};
    assert_ok(stoa_state_put(test->totals, row, STOA_DURABILITY_DEFAULT, &err), err);
}

static void begin(struct store_test *test) {
    store_test_begin(test, pool);
    test->settings.no_background = true;
    store_test_open(test);
}

static void test_tables_say_what_they_consist_of(void **state) {
    (void)state;
    struct store_test test;
    stoa_state_table_statistics table;
    stoa_error err;
    begin(&test);
    stoa_state_table_statistics_get(test.totals, &table);
    assert_int_equal(table.table_id, TOTALS);
    assert_int_equal(table.file_count + table.row_count + table.memtable_row_count, 0);
    assert_true(table.space_amplification == 1 && table.read_amplification == 0);
    for (int64_t i = 0; i < 100; i++) {
        put(&test, i);
    }
    stoa_state_table_statistics_get(test.totals, &table);
    assert_int_equal(table.memtable_row_count, 100);
    assert_true(table.memtable_bytes > 100 * 16);
    assert_ok(stoa_state_flush(test.totals, &err), err);
    assert_ok(stoa_state_delete(test.totals, &(stoa_cell){.i = 1}, STOA_DURABILITY_DEFAULT, &err),
              err);
    assert_ok(stoa_state_flush(test.totals, &err), err);
    put(&test, 7);
    stoa_state_table_statistics_get(test.totals, &table);
    assert_int_equal(table.levels[0].file_count, 2);
    assert_int_equal(table.levels[0].row_count, 101);
    assert_int_equal(table.levels[0].delete_count, 1);
    assert_int_equal(table.memtable_row_count, 1);
    assert_int_equal(table.run_count, 2);
    assert_true(table.read_amplification == 3);
    assert_int_equal(table.bytes, table.levels[0].bytes);
    assert_ok(stoa_state_compact(test.totals, NULL, 0, NULL, 0, NULL, &err), err);
    stoa_state_table_statistics_get(test.totals, &table);
    assert_int_equal(table.levels[0].file_count, 0);
    assert_int_equal(table.row_count, 99);
    assert_true(table.read_amplification == 1 && table.space_amplification == 1);
    store_test_end(&test);
}

static void test_stores_count_what_they_do(void **state) {
    (void)state;
    struct store_test test;
    stoa_state_statistics store;
    stoa_state_snapshot *snapshot = NULL;
    stoa_row *row = NULL;
    bool found = false;
    stoa_error err;
    begin(&test);
    for (int64_t i = 0; i < 130; i++) {
        put(&test, i);
    }
    assert_ok(stoa_state_snapshot_create(test.totals, &snapshot, &err), err);
    put(&test, 1);
    assert_ok(stoa_row_create(test.totals, NULL, &row, &err), err);
    for (int64_t i = 0; i < 65; i++) {
        assert_ok(stoa_state_get(test.totals, &(stoa_cell){.i = i}, NULL, row, &found, &err), err);
        assert_true(found);
    }
    stoa_row_close(row);
    assert_ok(stoa_state_compact(test.totals, NULL, 0, NULL, 0, NULL, &err), err);
    put(&test, 2);
    assert_ok(stoa_state_compact(test.totals, NULL, 0, NULL, 0, NULL, &err), err);
    stoa_state_statistics_get(test.totals, &store);
    assert_int_equal(store.table_count, 1);
    assert_int_equal(store.last_sequence, 132);
    assert_int_equal(store.snapshot_count, 1);
    assert_int_equal(store.oldest_snapshot, 130);
    assert_int_equal(store.flush_count, 2);
    assert_true(store.flush_bytes > 0 && store.flush_ns > 0);
    assert_true(store.compaction_counts[STOA_COMPACTION_MANUAL] >= 1);
    assert_true(store.compaction_rows_read >= 132 && store.write_amplification > 1);
    assert_int_equal(store.log_record_count, 132);
    assert_int_equal(store.latencies[STOA_STATE_CALL_COMMIT].count, 3); /* 0, 64 and 128 of 132 */
    assert_int_equal(store.latencies[STOA_STATE_CALL_GET].count, 2);
    assert_true(store.latencies[STOA_STATE_CALL_GET].p50_ns > 0);
    assert_true(store.latencies[STOA_STATE_CALL_GET].max_ns >=
                store.latencies[STOA_STATE_CALL_GET].p50_ns);
    stoa_state_snapshot_close(snapshot);
    store_test_end(&test);
}

/* ---- Prometheus ------------------------------------------------------------------------------- */

enum { FAMILIES_MAX = 100, NAME_BYTES = 100 };

/* What a reader of the format keeps. */
struct parsed {
    char families[FAMILIES_MAX][NAME_BYTES];
    char type[NAME_BYTES]; /* of the last family */
    int family_count;
    int sample_count;
};

static const char *take_name(const char *at, char out[NAME_BYTES]) {
    size_t size = 0;
    assert_true(isalpha((unsigned char)*at) || *at == '_' || *at == ':');
    while (isalnum((unsigned char)at[size]) || at[size] == '_' || at[size] == ':') {
        size++;
    }
    assert_true(size < NAME_BYTES);
    memcpy(out, at, size);
    out[size] = '\0';
    return at + size;
}

/* {name="value",…}, behind it a space */
static const char *take_labels(const char *at) {
    char name[NAME_BYTES];
    while (*at == '{' || *at == ',') {
        at = take_name(at + 1, name);
        assert_true(at[0] == '=' && at[1] == '"');
        for (at += 2; *at != '"'; at++) {
            assert_true(*at != '\n' && *at != '\\' && *at != '\0');
        }
        at++;
        assert_true(*at == ',' || *at == '}');
    }
    return *at == '}' ? at + 1 : at;
}

static void parse_comment(struct parsed *parsed, const char *line) {
    char name[NAME_BYTES];
    if (strncmp(line, "# HELP ", 7) == 0) {
        assert_true(*take_name(line + 7, name) == ' ');
        for (int i = 0; i < parsed->family_count; i++) {
            assert_string_not_equal(parsed->families[i], name); /* all samples in one place */
        }
        assert_true(parsed->family_count < FAMILIES_MAX);
        strcpy(parsed->families[parsed->family_count++], name);
        return;
    }
    assert_int_equal(strncmp(line, "# TYPE ", 7), 0);
    line = take_name(line + 7, name);
    assert_string_equal(name, parsed->families[parsed->family_count - 1]);
    assert_true(*line == ' ');
    (void)take_name(line + 1, parsed->type);
    const bool counts = strlen(name) > 6 && strcmp(name + strlen(name) - 6, "_total") == 0;
    assert_int_equal(counts, strcmp(parsed->type, "counter") == 0);
}

static void parse_sample(struct parsed *parsed, const char *line) {
    char name[NAME_BYTES];
    char *end = NULL;
    const char *family = parsed->families[parsed->family_count - 1];
    line = take_labels(take_name(line, name));
    if (strcmp(parsed->type, "summary") == 0) {
        assert_int_equal(strncmp(name, family, strlen(family)), 0);
    } else {
        assert_string_equal(name, family);
    }
    assert_true(*line == ' ');
    assert_true(strtod(line + 1, &end) >= 0);
    assert_true(end > line + 1 && *end == '\n');
    parsed->sample_count++;
}

static void parse(const char *text, struct parsed *out) {
    *out = (struct parsed){0};
    while (*text != '\0') {
        if (*text == '#') {
            parse_comment(out, text);
        } else {
            parse_sample(out, text);
        }
        text = strchr(text, '\n');
        assert_non_null(text);
        text++;
    }
}

static void test_prometheus_reads_the_text(void **state) {
    (void)state;
    struct store_test test;
    struct parsed parsed;
    stoa_text *text = NULL;
    stoa_error err;
    begin(&test);
    for (int64_t i = 0; i < 10; i++) {
        put(&test, i);
    }
    assert_ok(stoa_state_flush(test.totals, &err), err);
    assert_ok(stoa_text_create(pool, &text, &err), err);
    for (int i = 0; i < 2; i++) { /* the second replaces the first */
        assert_ok(stoa_state_prometheus(test.totals, text, &err), err);
    }
    const char *page = stoa_text_view(text, NULL);
    parse(page, &parsed);
    assert_true(parsed.family_count > 40);
    assert_true(parsed.sample_count > parsed.family_count + 5 * STOA_STATE_LEVELS);
    assert_non_null(strstr(page, "\nstoa_state_flushes_total 1\n"));
    assert_non_null(strstr(page, "\nstoa_state_level_rows{table=\"1\",level=\"0\"} 10\n"));
    assert_non_null(strstr(page, "\nstoa_state_compactions_total{reason=\"manual\"} 0\n"));
    assert_non_null(strstr(page, "\nstoa_state_call_seconds_count{call=\"commit\"} 1\n"));
    stoa_text_close(text);
    store_test_end(&test);
}

static void test_readers_have_statistics_too(void **state) {
    (void)state;
    struct store_test test;
    stoa_state_statistics store;
    stoa_state_table_statistics table;
    stoa_error err;
    begin(&test);
    put(&test, 1);
    struct store_test reader = test;
    assert_ok(store_test_open_as(&reader, true, &err), err);
    assert_ok(stoa_store_open_table(reader.store, TOTALS, &reader.totals, &err), err);
    stoa_state_statistics_get(reader.totals, &store);
    assert_int_equal(store.last_sequence, 1);
    assert_int_equal(store.log_record_count, 0);
    stoa_state_table_statistics_get(reader.totals, &table);
    assert_int_equal(table.memtable_row_count, 1);
    store_test_close(&reader);
    store_test_end(&test);
}

static int setup(void **state) {
    (void)state;
    stoa_error err;
    return stoa_pool_create(0, NULL, &pool, &err) == STOA_OK ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    assert_int_equal(stoa_pool_used(pool), 0);
    stoa_pool_close(pool);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tables_say_what_they_consist_of, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stores_count_what_they_do, setup, teardown),
        cmocka_unit_test_setup_teardown(test_prometheus_reads_the_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_readers_have_statistics_too, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
