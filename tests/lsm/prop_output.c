/* Outputs: whatever sources give, in whatever parts and by however many threads, is in the files in
 * order; files share no key; deleted ranges delete the same keys as before; a failure leaves nothing. */
#include "lsm/output.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "flushed.h"

enum { ROUNDS = 60, ROWS_MAX = 20000, PART_MAX = 700, RANGES_MAX = 6, IDS = 40000 };

struct world {
    support_world base;
    stoa_sched *sched;
    struct table_format format;
    stoa_definition *definition;
    int32_t ids[ROWS_MAX]; /* ascending; versions of one side by side */
    int64_t count;
    stoa_range_set ranges;
    _Atomic uint64_t file_number;
    _Atomic int64_t closed; /* sources */
};

/* Rows [first, first + count) of the world; row i has the sequence ROWS_MAX - i and the value i. */
struct part {
    struct world *world;
    int64_t first;
    int64_t count;
    bool fails;
};

static stoa_status fill(void *user, stoa_output_rows *rows, stoa_error *err) {
    const struct part *part = user;
    struct world *world = part->world;
    int64_t values[PART_MAX];
    for (int64_t i = 0; i < part->count; i++) {
        const uint64_t sequence = (uint64_t)(ROWS_MAX - part->first - i);
        const uint8_t operation = (part->first + i) % 5 == 0 ? STOA_OPERATION_DELETE
                                                             : STOA_OPERATION_PUT;
        values[i] = part->first + i;
        STOA_TRY(stoa_buffer_append(&rows->sequences, &sequence, sizeof sequence, err));
        STOA_TRY(stoa_buffer_append_byte(&rows->operations, operation, err));
    }
    if (part->count == 0) {
        return part->fails ? stoa_fail(err, STOA_INVALID, "no rows today") : STOA_OK;
    }
    table_batch(&world->format, world->ids + part->first, values, part->count, &rows->batch);
    STOA_TRY(
        stoa_keys_append(&world->definition->key, &rows->batch, 0, part->count, &rows->keys, err));
    return part->fails ? stoa_fail(err, STOA_INVALID, "no rows today") : STOA_OK;
}

static void close_part(void *user) {
    struct part *part = user;
    atomic_fetch_add(&part->world->closed, 1);
    free(part);
}

/* Adds all rows in random parts, of which one fails if it is to; gives how many were added. */
static int64_t add_parts(struct world *world, support_random *random, stoa_output *output,
                         bool fails, stoa_status *status, stoa_error *err) {
    int64_t added = 0;
    *status = STOA_OK;
    for (int64_t first = 0; first < world->count && *status == STOA_OK; added++) {
        struct part *part = malloc(sizeof *part);
        *part = (struct part){world, first, (int64_t)support_random_below(random, PART_MAX + 1),
                              fails && support_random_below(random, 8) == 0};
        part->count = part->count < world->count - first ? part->count : world->count - first;
        part->fails = part->fails || (fails && first + part->count == world->count);
        first += part->count;
        const stoa_output_source source = {fill, close_part, part};
        *status = stoa_output_add(output, &source, err);
    }
    return added;
}

static void check_keys(const struct world *world, const struct flushed *found) {
    const stoa_keys_view keys = stoa_keys_view_of(&found->keys);
    const stoa_cell *values = (const stoa_cell *)(const void *)found->values.data;
    stoa_buffer key;
    stoa_buffer_init(&key, world->format.pool);
    assert_int_equal(found->keys.count, world->count);
    for (int64_t i = 0; i < world->count; i++) {
        uint8_t number[8];
        size_t size;
        const uint8_t *bytes = stoa_keys_bytes(&world->definition->key, &keys, i, number, &size);
        table_key(&world->format, world->ids[i], &key);
        assert_int_equal(stoa_bytes_compare(bytes, size, key.data, key.size), 0);
        assert_int_equal(values[i].i, i);
    }
    stoa_buffer_release(&key);
}

static bool is_within(const stoa_table_file *file, const stoa_buffer *key) {
    const stoa_buffer *first = &file->info.first_key, *last = &file->info.last_key;
    return stoa_bytes_compare(first->data, first->size, key->data, key->size) <= 0 &&
           stoa_bytes_compare(key->data, key->size, last->data, last->size) <= 0;
}

/* A key's file alone says what ranges delete it. */
static void check_ranges(const struct world *world, support_random *random,
                         stoa_table_file *const *files, int64_t count) {
    stoa_buffer key;
    stoa_buffer_init(&key, world->format.pool);
    for (int i = 0; i < 200; i++) {
        const uint64_t snapshot = support_random_below(random, RANGES_MAX + 2);
        uint64_t found = 0;
        table_key(&world->format, (int32_t)support_random_below(random, IDS + 1000), &key);
        for (int64_t file = 0; file < count; file++) {
            if (is_within(files[file], &key)) {
                assert_int_equal(found, 0);
                found = stoa_range_set_cover(stoa_sst_ranges(files[file]->sst), key.data, key.size,
                                             snapshot);
            }
        }
        assert_int_equal(found, stoa_range_set_cover(&world->ranges, key.data, key.size, snapshot));
    }
    stoa_buffer_release(&key);
}

static void check_files(const struct world *world, support_random *random, uint64_t file_bytes,
                        stoa_table_file *const *files, int64_t count) {
    struct flushed found;
    flushed_init(&found, world->base.pool);
    assert_int_equal(flushed_files(world->base.registry), count);
    assert_int_equal(count > 0, world->count > 0 || world->ranges.count > 0);
    assert_true(file_bytes > 0 || count <= 1);
    for (int64_t i = 0; i < count; i++) {
        flushed_add(files[i], world->base.pool, &found);
        assert_true(i == 0 || stoa_bytes_compare(files[i - 1]->info.last_key.data,
                                                 files[i - 1]->info.last_key.size,
                                                 files[i]->info.first_key.data,
                                                 files[i]->info.first_key.size) < 0);
    }
    check_keys(world, &found);
    check_ranges(world, random, files, count);
    flushed_release(&found);
}

static void make_rows(struct world *world, support_random *random) {
    const uint64_t repeats = 1 + support_random_below(random, 900);
    stoa_buffer from, to;
    stoa_error err;
    int32_t id = 0;
    world->count = support_random_below(random, 8) == 0
                       ? 0
                       : (int64_t)support_random_below(random, ROWS_MAX);
    for (int64_t i = 0; i < world->count; i++) {
        id += support_random_below(random, repeats) == 0 || repeats < 100;
        world->ids[i] = id;
    }
    if (world->format.has_text) { /* texts are not in the order of their numbers */
        for (int64_t i = 0; i < world->count; i++) {
            world->ids[i] = 40000 + world->ids[i];
        }
    }
    stoa_buffer_init(&from, world->format.pool);
    stoa_buffer_init(&to, world->format.pool);
    world->ranges.pool = world->format.pool;
    for (uint64_t i = support_random_below(random, RANGES_MAX + 1); i > 0; i--) {
        table_key(&world->format, (int32_t)support_random_below(random, IDS), &from);
        table_key(&world->format, (int32_t)support_random_below(random, IDS), &to);
        const stoa_key_range range = {.from = from.data,
                                      .from_size = from.size,
                                      .to = to.data,
                                      .to_size = to.size,
                                      .to_end = support_random_below(random, 5) == 0,
                                      .sequence = i};
        if (range.to_end || stoa_bytes_compare(from.data, from.size, to.data, to.size) < 0) {
            assert_ok(stoa_range_set_add(&world->ranges, &range, &err), err);
        }
    }
    stoa_range_set_finish(&world->ranges);
    stoa_buffer_release(&from);
    stoa_buffer_release(&to);
}

static void open_world(struct world *world, support_random *random, int round) {
    stoa_error err;
    memset(world, 0, sizeof *world);
    support_world_open(&world->base);
    assert_ok(stoa_vfs_make_directory(world->base.registry, FLUSHED_DIRECTORY, NULL, &err), err);
    if (round % 3 > 0) {
        const stoa_sched_options options = {.threads = 1 + (int32_t)support_random_below(random, 4),
                                            .deterministic = round % 3 == 1,
                                            .seed = support_random_u64(random)};
        assert_ok(stoa_sched_create(world->base.pool, &options, &world->sched, &err), err);
    }
    table_format_open(world->base.pool, support_random_bool(random), &world->format);
    world->definition = flushed_definition(&world->format);
    make_rows(world, random);
}

static void close_world(struct world *world) {
    stoa_range_set_release(&world->ranges);
    stoa_definition_release(world->definition);
    table_format_close(&world->format);
    stoa_sched_close(world->sched);
    support_world_close(&world->base);
}

static void write_and_check(struct world *world, support_random *random, bool fails) {
    const uint64_t file_bytes = support_random_bool(random) ? 0
                                                            : support_random_below(random, 20000);
    const stoa_output_options options = {
        .context = {.pool = world->base.pool, .sched = world->sched},
        .file_systems = world->base.registry,
        .directory = FLUSHED_DIRECTORY,
        .definition = world->definition,
        .level = 3,
        .file_bytes = file_bytes,
        .new_file = flushed_next_file,
        .new_file_user = &world->file_number,
    };
    stoa_output *output;
    stoa_table_file *const *files;
    int64_t count;
    stoa_status status;
    stoa_error err;
    assert_ok(stoa_output_create(&options, &output, &err), err);
    for (int64_t i = 0; i < world->ranges.count; i++) {
        assert_ok(stoa_output_add_range(output, &world->ranges.ranges[i], &err), err);
    }
    const int64_t added = add_parts(world, random, output, fails, &status, &err);
    if (status == STOA_OK) {
        status = stoa_output_finish(output, &files, &count, &err);
    }
    if (fails && world->count > 0) {
        assert_fails(status, STOA_INVALID, "no rows today", err);
    } else {
        assert_ok(status, err);
        check_files(world, random, file_bytes, files, count);
    }
    stoa_output_close(output);
    assert_int_equal(world->closed, added);
    assert_int_equal(flushed_files(world->base.registry) == 0, status != STOA_OK || count == 0);
}

static void files_hold_the_rows(void **state) {
    static struct world world;
    support_random random = support_random_open("lsm.prop_output");
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        open_world(&world, &random, round);
        write_and_check(&world, &random, round % 5 == 4);
        close_world(&world);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_hold_the_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
