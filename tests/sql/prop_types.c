/* Random batches of every type, through the engine and back. */
#include "random_batch.h"
#include "sql_world.h"

#include "arrow/array.h"
#include "schema/schema.h"
#include "schema/validate.h"
#include "sql/sql.h"
#include "sql/stored.h"
#include "table/table.h"

static const uint64_t kinds_held = SUPPORT_KINDS_ALL &
                                   ~(SUPPORT_KIND(STOA_ARROW_NULL) |
                                     SUPPORT_KIND(STOA_ARROW_FLOAT16) |
                                     SUPPORT_KIND(STOA_ARROW_INTERVAL_MONTH_DAY_NANO));

/* Durations of other units than microseconds overflow or are rounded; see test_types for those. */
static bool is_held(const stoa_type *type) {
    if (type->kind == STOA_TYPE_DURATION && type->unit != STOA_TYPE_MICROSECONDS) {
        return false;
    }
    for (int32_t i = 0; i < type->child_count; i++) {
        if (!is_held(&type->children[i].type)) {
            return false;
        }
    }
    return type->kind != STOA_TYPE_UNKNOWN;
}

static bool holds_duration(const stoa_type *type, bool nested) {
    for (int32_t i = 0; i < type->child_count; i++) {
        if (holds_duration(&type->children[i].type, nested || type->kind != STOA_TYPE_STRUCT)) {
            return true;
        }
    }
    return type->kind == STOA_TYPE_DURATION;
}

struct sample {
    struct ArrowSchema arrow;
    const stoa_schema *schema;
    struct ArrowSchema canonical;
    struct ArrowArray batch; /* in the canonical layout */
};

/* False when the schema drawn holds what the engine does not. */
static bool draw(support_random *random, stoa_pool *pool, bool parquet, struct sample *out) {
    stoa_error err = STOA_ERROR_NONE;
    /* Parquet's intervals have no negative parts; its writer's tests have them. */
    uint64_t intervals = SUPPORT_KIND(STOA_ARROW_INTERVAL_MONTHS) |
                         SUPPORT_KIND(STOA_ARROW_INTERVAL_DAY_TIME);
    support_batch_options options = {.kinds = parquet ? kinds_held & ~intervals : kinds_held,
                                     .decimal_width_max = 16,
                                     .no_negative_scales = true};
    struct ArrowArray batch;
    *out = (struct sample){0};
    support_random_schema(random, pool, &options, &out->arrow);
    if (stoa_schema_from_arrow(pool, &out->arrow, &out->schema, &err) != STOA_OK) {
        stoa_arrow_schema_release(&out->arrow);
        return false;
    }
    bool nested = false;
    for (int32_t i = 0; i < out->schema->root.child_count; i++) {
        const stoa_type *type = &out->schema->root.children[i].type;
        nested = nested || (type->child_count > 0 && holds_duration(type, true));
    }
    int64_t rows = support_random_between(random, 0, 5000);
    support_random_batch(random, pool, &out->arrow, &options, rows, &batch);
    if (!is_held(&out->schema->root) || (parquet && nested) ||
        stoa_sql_check_carried(out->schema, &err) != STOA_OK ||
        stoa_batch_validate(out->schema, &out->arrow, &batch, &err) != STOA_OK) {
        stoa_arrow_array_release(&batch);
        stoa_schema_close(out->schema);
        stoa_arrow_schema_release(&out->arrow);
        return false;
    }
    assert_ok(stoa_schema_to_arrow(pool, out->schema, &out->canonical, &err), err);
    assert_ok(stoa_batch_conform(pool, out->schema, &out->arrow, &batch, &out->batch, &err), err);
    return true;
}

static void release(struct sample *sample) {
    stoa_arrow_array_release(&sample->batch);
    stoa_arrow_schema_release(&sample->canonical);
    stoa_arrow_schema_release(&sample->arrow);
    stoa_schema_close(sample->schema);
}

static void load(sql_world *world, struct sample *sample) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_sink *sink;
    stoa_sink_options options = {.mode = STOA_CREATE, .schema = sample->schema};
    assert_ok(stoa_sink_open(world->db, "t", &options, &sink, &err), err);
    for (int64_t at = 0; at < sample->batch.length;) {
        struct ArrowArray slice;
        int64_t rows = 1 + sample->batch.length / 3;
        rows = rows < sample->batch.length - at ? rows : sample->batch.length - at;
        assert_ok(stoa_arrow_slice(world->pool, &sample->batch, at, rows, &slice, &err), err);
        assert_ok(stoa_sink_write(sink, &sample->canonical, &slice, &err), err);
        at += rows;
    }
    assert_ok(stoa_sink_commit(sink, NULL, &err), err);
    stoa_sink_close(sink);
}

/* All rows of a stream in one array. */
static void gather(sql_world *world, struct ArrowArrayStream *stream,
                   const struct ArrowSchema *schema, struct ArrowArray *out) {
    stoa_error err = STOA_ERROR_NONE;
    static struct ArrowArray batches[256];
    const struct ArrowArray *list[256];
    int count = 0;
    for (;; count++) {
        assert_true(count < 256);
        assert_ok(stoa_stream_next(stream, &batches[count], &err), err);
        if (batches[count].release == NULL) {
            break;
        }
        assert_ok(stoa_arrow_validate(schema, &batches[count], STOA_ARROW_CHECK_FULL, &err), err);
        list[count] = &batches[count];
    }
    assert_ok(stoa_arrow_concat(world->pool, schema, list, count, out, &err), err);
    for (int i = 0; i < count; i++) {
        stoa_arrow_array_release(&batches[i]);
    }
}

static void check_equal(sql_world *world, struct sample *sample, struct ArrowArrayStream *stream,
                        const char *road) {
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowArray found;
    gather(world, stream, &sample->canonical, &found);
    if (stoa_arrow_compare(&sample->canonical, &sample->batch, &sample->canonical, &found, &err) !=
        STOA_OK) {
        char text[4096];
        stoa_schema_print(sample->schema, text, sizeof text);
        fail_msg("%s: %s\n%s", road, err.message, text);
    }
    stoa_arrow_array_release(&found);
    stoa_arrow_stream_release(stream);
}

static void every_value_comes_back(bool parquet, int rounds, const char *name) {
    support_random random = support_random_open(name);
    for (int round = 0; round < rounds; round++) {
        sql_world world;
        struct sample sample;
        stoa_error err = STOA_ERROR_NONE;
        struct ArrowArrayStream stream;
        sql_world_open(&world, !parquet);
        if (draw(&random, world.pool, parquet, &sample)) {
            load(&world, &sample);
            assert_ok(stoa_scan(world.db, "t", NULL, &stream, &err), err);
            check_equal(&world, &sample, &stream, "stoa_scan");
            if (!parquet) {
                assert_ok(stoa_sql_stream(world.db, "FROM t", sample.schema, NULL, &stream, &err),
                          err);
                check_equal(&world, &sample, &stream, "FROM t");
            }
            bool plain = !parquet || !holds_duration(&sample.schema->root, false);
            if (sample.batch.length > 0 && plain) { /* in Parquet a duration is a number to SQL */
                sql_change(&world, "INSERT INTO t SELECT * FROM t", sample.batch.length);
                sql_change(&world, "CREATE TABLE u AS SELECT * FROM t", 2 * sample.batch.length);
                sql_expect(&world,
                           "SELECT (SELECT bit_xor(hash(t)) FROM t), (SELECT count(*) FROM t) "
                           "= (SELECT count(*) FROM u)",
                           "0 | true\n");
            }
            release(&sample);
        }
        sql_world_close(&world);
    }
}

static void values_of_memory_tables_come_back(void **state) {
    (void)state;
    every_value_comes_back(false, 60, "sql.prop_types.memory");
}

static void values_of_parquet_tables_come_back(void **state) {
    (void)state;
    every_value_comes_back(true, 30, "sql.prop_types.parquet");
}

/* The same queries over our table and over the engine's own copy of it. */
static void queries_agree_with_the_engines_own_table(void **state) {
    (void)state;
    static const char *const queries[] = {
        "SELECT count(*), bit_xor(hash(x)) FROM %s x",
        "SELECT count(c0), count(DISTINCT c0::VARCHAR), min(hash(c0)) FROM %s",
        "SELECT c0 IS NULL, count(*), bit_xor(hash(x)) FROM %s x GROUP BY 1 ORDER BY 1",
        "SELECT count(*), bit_xor(hash(x, y)) FROM %s x JOIN %s y ON x.c0 = y.c0",
        "SELECT bit_xor(hash(v)) FROM (SELECT COLUMNS(*)::VARCHAR v FROM %s LIMIT 100)",
        "SELECT md5(string_agg(x::VARCHAR, ';' ORDER BY x::VARCHAR)) FROM %s x",
    };
    support_random random = support_random_open("sql.prop_types.queries");
    for (int round = 0; round < 40; round++) {
        sql_world world;
        struct sample sample;
        sql_world_open(&world, true);
        if (draw(&random, world.pool, false, &sample)) {
            load(&world, &sample);
            sql_expect(&world, "CREATE TEMP TABLE theirs AS SELECT * FROM t", "");
            for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
                char ours[256], theirs[256];
                stoa_error err = STOA_ERROR_NONE;
                snprintf(ours, sizeof ours, queries[i], "t", "t");
                snprintf(theirs, sizeof theirs, queries[i], "theirs", "theirs");
                stoa_status status = sql_try(&world, theirs, &err);
                if (status != STOA_OK) {
                    assert_int_equal(sql_try(&world, ours, &err), status);
                    continue;
                }
                char *expected = malloc(world.rows.size + 1);
                memcpy(expected, world.rows.data, world.rows.size);
                expected[world.rows.size] = '\0';
                sql_expect(&world, ours, expected);
                free(expected);
            }
            release(&sample);
        }
        sql_world_close(&world);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_memory_tables_come_back),
        cmocka_unit_test(values_of_parquet_tables_come_back),
        cmocka_unit_test(queries_agree_with_the_engines_own_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
