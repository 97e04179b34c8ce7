/* The contract of reading: ranges, the end of the file, vectors, maps, many readers at once, a file
 * that changes under its reader. */
#include "contract.h"

#include <pthread.h>
#include <string.h>

static void ranges_are_read_where_they_lie(void **state) {
    contract_world *world = *state;
    char buffer[16] = "";
    size_t size = 99;
    uint64_t file_size = 0;
    contract_put_text(world, "f", "0123456789");
    stoa_file *file = contract_open(world, "f", STOA_OPEN_READ);
    assert_ok(stoa_file_size(file, &file_size, &world->err), world->err);
    assert_int_equal(file_size, 10);
    assert_ok(stoa_file_read(file, 3, buffer, 4, &world->err), world->err);
    assert_memory_equal(buffer, "3456", 4);
    assert_ok(stoa_file_read(file, 0, buffer, 10, &world->err), world->err);
    assert_memory_equal(buffer, "0123456789", 10);
    assert_ok(stoa_file_read(file, 10, buffer, 0, &world->err), world->err);
    assert_ok(stoa_file_read_some(file, 8, buffer, 16, &size, &world->err), world->err);
    assert_int_equal(size, 2);
    assert_memory_equal(buffer, "89", 2);
    assert_ok(stoa_file_read_some(file, 10, buffer, 16, &size, &world->err), world->err);
    assert_int_equal(size, 0);
    assert_ok(stoa_file_read_some(file, 1000, buffer, 16, &size, &world->err), world->err);
    assert_int_equal(size, 0);
    stoa_file_close(file);
}

static void reading_past_the_end_says_how_much_there_was(void **state) {
    contract_world *world = *state;
    char buffer[16];
    contract_put_text(world, "f", "0123456789");
    stoa_file *file = contract_open(world, "f", STOA_OPEN_READ);
    assert_fails(stoa_file_read(file, 8, buffer, 5, &world->err), STOA_CORRUPT,
                 "expected 5 bytes but the file ends after 2", world->err);
    contract_assert_named(world, "f");
    assert_int_equal(world->err.offset, 8);
    assert_fails(stoa_file_read(file, 10, buffer, 1, &world->err), STOA_CORRUPT,
                 "the file ends after 0", world->err);
    assert_fails(stoa_file_read(file, INT64_MAX, buffer, 5, &world->err), STOA_INVALID, NULL,
                 world->err);
    assert_fails(stoa_file_read(file, UINT64_MAX, buffer, 5, &world->err), STOA_INVALID, NULL,
                 world->err);
    contract_assert_named(world, "f");
    stoa_file_close(file);
}

static void vectored_reads_fill_every_range(void **state) {
    contract_world *world = *state;
    char a[4] = "", b[4] = "", c[4] = "", d[4] = "", e[4] = "";
    const stoa_read_range ranges[] = {{2, 3, a}, {5, 2, b}, {7, 0, e}, {0, 2, d}, {7, 3, c}};
    const stoa_read_range beyond[] = {{0, 3, a}, {3, 2, b}, {5, 4, c}, {9, 2, d}};
    const stoa_read_range absurd[] = {{UINT64_MAX - 1, 3, a}};
    contract_put_text(world, "f", "0123456789");
    stoa_file *file = contract_open(world, "f", STOA_OPEN_READ);
    assert_ok(stoa_file_read_vector(file, ranges, 5, &world->err), world->err);
    assert_memory_equal(a, "234", 3);
    assert_memory_equal(b, "56", 2);
    assert_memory_equal(c, "789", 3);
    assert_memory_equal(d, "01", 2);
    assert_ok(stoa_file_read_vector(file, NULL, 0, &world->err), world->err);
    assert_fails(stoa_file_read_vector(file, beyond, 4, &world->err), STOA_CORRUPT,
                 "file ends after 1", world->err);
    contract_assert_named(world, "f");
    assert_fails(stoa_file_read_vector(file, absurd, 1, &world->err), STOA_INVALID, NULL,
                 world->err);
    stoa_file_close(file);
}

static void empty_files_are_files(void **state) {
    contract_world *world = *state;
    char buffer[4];
    size_t got = 9;
    uint64_t size = 9;
    stoa_file_info info;
    contract_put(world, "empty", "", 0);
    assert_ok(stoa_vfs_stat(world->registry, contract_at(world, "empty"), NULL, &info, &world->err),
              world->err);
    assert_false(info.is_directory);
    contract_assert_holds(world, "empty", "");
    stoa_file *file = contract_open(world, "empty", STOA_OPEN_READ);
    assert_ok(stoa_file_size(file, &size, &world->err), world->err);
    assert_int_equal(size, 0);
    assert_ok(stoa_file_read_some(file, 0, buffer, 4, &got, &world->err), world->err);
    assert_int_equal(got, 0);
    assert_ok(stoa_file_read_vector(file, &(stoa_read_range){0, 0, buffer}, 1, &world->err),
              world->err);
    assert_fails(stoa_file_read(file, 0, buffer, 1, &world->err), STOA_CORRUPT, NULL, world->err);
    stoa_file_close(file);
}

static void maps_show_the_whole_file(void **state) {
    contract_world *world = *state;
    const void *bytes = NULL, *again = NULL;
    uint64_t size = 0;
    contract_put_text(world, "f", "0123456789");
    contract_put(world, "empty", "", 0);
    stoa_file *file = contract_open(world, "f", STOA_OPEN_READ);
    assert_ok(stoa_file_map(file, &bytes, &size, &world->err), world->err);
    assert_int_equal(size, 10);
    assert_memory_equal(bytes, "0123456789", 10);
    assert_ok(stoa_file_map(file, &again, &size, &world->err), world->err);
    assert_ptr_equal(again, bytes);
    stoa_file_close(file);
    file = contract_open(world, "empty", STOA_OPEN_READ);
    assert_ok(stoa_file_map(file, &bytes, &size, &world->err), world->err);
    assert_int_equal(size, 0);
    assert_non_null(bytes);
    stoa_file_close(file);
}

static void whole_files_are_read_up_to_a_limit(void **state) {
    contract_world *world = *state;
    stoa_buffer bytes;
    contract_put_text(world, "f", "0123456789");
    assert_ok(stoa_vfs_read_all(world->registry, contract_at(world, "f"), NULL, 10, world->pool,
                                &bytes, &world->err),
              world->err);
    assert_int_equal(bytes.size, 10);
    stoa_buffer_release(&bytes);
    assert_fails(stoa_vfs_read_all(world->registry, contract_at(world, "f"), NULL, 9, world->pool,
                                   &bytes, &world->err),
                 STOA_LIMIT, "limit of 9", world->err);
    contract_assert_named(world, "f");
    assert_null(bytes.data);
}

/* Bytes that tell where they lie. */
static void fill(uint8_t *bytes, size_t size) {
    support_random random = {7};
    support_random_bytes(&random, bytes, size);
}

enum { LARGE = 3 * 1024 * 1024 + 17 };

static void files_of_several_megabytes_come_back_whole(void **state) {
    contract_world *world = *state;
    uint8_t *bytes = test_malloc(LARGE);
    stoa_buffer read;
    fill(bytes, LARGE);
    contract_put(world, "f", bytes, LARGE);
    assert_ok(stoa_vfs_read_all(world->registry, contract_at(world, "f"), NULL, LARGE, world->pool,
                                &read, &world->err),
              world->err);
    assert_int_equal(read.size, LARGE);
    assert_memory_equal(read.data, bytes, LARGE);
    stoa_buffer_release(&read);
    test_free(bytes);
}

struct reader {
    contract_world *world;
    const uint8_t *bytes;
    stoa_file *shared;
    uint64_t seed;
    char uri[CONTRACT_URI_BYTES];
    bool is_wrong;
    stoa_error err;
};

/* Two ranges in one vector and one alone, each compared with what is there. */
static stoa_status read_once(struct reader *reader, stoa_file *file, support_random *random) {
    uint8_t buffer[3][4096];
    stoa_read_range range[3];
    for (size_t i = 0; i < 3; i++) {
        size_t size = (size_t)support_random_below(random, 4096) + 1;
        range[i] = (stoa_read_range){support_random_below(random, LARGE - size), size, buffer[i]};
    }
    STOA_TRY(stoa_file_read_vector(file, range, 2, &reader->err));
    STOA_TRY(stoa_file_read(file, range[2].offset, buffer[2], range[2].size, &reader->err));
    for (size_t i = 0; i < 3; i++) {
        reader->is_wrong |= memcmp(buffer[i], reader->bytes + range[i].offset, range[i].size) != 0;
    }
    return STOA_OK;
}

static void *read_many(void *user) {
    struct reader *reader = user;
    support_random random = {reader->seed};
    stoa_file *own = NULL;
    stoa_status status = stoa_vfs_open(reader->world->registry, reader->uri, STOA_OPEN_READ, NULL,
                                       &own, &reader->err);
    for (int i = 0; i < 40 && status == STOA_OK; i++) {
        status = read_once(reader, i % 2 == 0 ? reader->shared : own, &random);
    }
    stoa_file_close(own);
    return NULL;
}

static void many_threads_read_one_file(void **state) {
    enum { THREADS = 4 };
    contract_world *world = *state;
    uint8_t *bytes = test_malloc(LARGE);
    pthread_t threads[THREADS];
    struct reader *readers = test_calloc(THREADS, sizeof *readers);
    fill(bytes, LARGE);
    contract_put(world, "f", bytes, LARGE);
    stoa_file *shared = contract_open(world, "f", STOA_OPEN_READ);
    for (uint64_t i = 0; i < THREADS; i++) {
        readers[i] = (struct reader){.world = world, .bytes = bytes, .shared = shared, .seed = i};
        readers[i].err = (stoa_error)STOA_ERROR_NONE;
        strcpy(readers[i].uri, contract_at(world, "f"));
        assert_int_equal(pthread_create(&threads[i], NULL, read_many, &readers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_ok(readers[i].err.status, readers[i].err);
        assert_false(readers[i].is_wrong);
    }
    stoa_file_close(shared);
    test_free(readers);
    test_free(bytes);
}

/* The old bytes, the new ones or a failure; never some of each. */
static void a_change_under_a_reader_is_no_mixture(void **state) {
    contract_world *world = *state;
    char buffer[12] = "";
    contract_put_text(world, "f", "aaaaaaaaaaa");
    stoa_file *file = contract_open(world, "f", STOA_OPEN_READ);
    assert_ok(stoa_file_read(file, 0, buffer, 4, &world->err), world->err);
    contract_put_text(world, "g", "bbbbbbbbbbbbb");
    if (contract_lacks(world, CONTRACT_LACKS_RENAME)) {
        contract_put_text(world, "f", "bbbbbbbbbbbbb");
    } else {
        assert_ok(stoa_vfs_rename(world->registry, contract_at(world, "g"), contract_at(world, "f"),
                                  NULL, &world->err),
                  world->err);
    }
    if (stoa_file_read(file, 4, buffer + 4, 7, &world->err) == STOA_OK) {
        assert_string_equal(buffer, "aaaaaaaaaaa");
    } else {
        assert_true((world->subject->ways & CONTRACT_OPEN_FILES_CHANGE) != 0);
        contract_assert_named(world, "f");
    }
    stoa_file_close(file);
    contract_assert_holds(world, "f", "bbbbbbbbbbbbb");
}

static void an_open_file_outlives_its_name(void **state) {
    contract_world *world = *state;
    char buffer[8] = "";
    contract_put_text(world, "f", "text");
    stoa_file *file = contract_open(world, "f", STOA_OPEN_READ);
    assert_ok(stoa_vfs_remove(world->registry, contract_at(world, "f"), NULL, &world->err),
              world->err);
    if (stoa_file_read(file, 0, buffer, 4, &world->err) == STOA_OK) {
        assert_string_equal(buffer, "text");
    } else {
        assert_true((world->subject->ways & CONTRACT_OPEN_FILES_CHANGE) != 0);
        contract_assert_named(world, "f");
    }
    stoa_file_close(file);
    contract_assert_open_fails(world, "f", STOA_OPEN_READ, STOA_NOT_FOUND, "cannot open");
}

static void a_version_changes_with_the_content(void **state) {
    contract_world *world = *state;
    stoa_file_info before, after;
    bool is_coarse = (world->subject->ways & CONTRACT_VERSIONS_ARE_COARSE) != 0;
    contract_put_text(world, "f", "one");
    const char *uri = contract_at(world, "f");
    assert_ok(stoa_vfs_stat(world->registry, uri, NULL, &before, &world->err), world->err);
    assert_true(before.modified_ms == 0 || before.modified_ms > INT64_C(1500000000000));
    if ((world->subject->ways & CONTRACT_SIZES_ARE_STORED) == 0) {
        assert_int_equal(before.size, 3);
    }
    assert_false(before.is_directory);
    assert_ok(stoa_vfs_stat(world->registry, uri, NULL, &after, &world->err), world->err);
    assert_string_not_equal(before.version, "");
    assert_string_equal(before.version, after.version);
    contract_put_text(world, "f", is_coarse ? "two and more" : "two");
    assert_ok(stoa_vfs_stat(world->registry, uri, NULL, &after, &world->err), world->err);
    assert_string_not_equal(before.version, after.version);
}

static void what_is_not_there_is_not_found(void **state) {
    contract_world *world = *state;
    stoa_file_info info;
    contract_put_text(world, "f", "text");
    contract_assert_open_fails(world, "no", STOA_OPEN_READ, STOA_NOT_FOUND, "cannot open");
    contract_assert_open_fails(world, "no/f", STOA_OPEN_READ, STOA_NOT_FOUND, "cannot open");
    contract_assert_open_fails(world, "f/x", STOA_OPEN_READ, STOA_NOT_FOUND, NULL);
    contract_assert_open_fails(world, "f/", STOA_OPEN_READ, STOA_NOT_FOUND, NULL);
    assert_fails(stoa_vfs_stat(world->registry, contract_at(world, "no"), NULL, &info, &world->err),
                 STOA_NOT_FOUND, "cannot look at", world->err);
    contract_assert_named(world, "no");
    assert_false(contract_exists(world, "no"));
    assert_true(contract_exists(world, "f"));
}

static void reading_handles_do_not_write(void **state) {
    contract_world *world = *state;
    contract_put_text(world, "f", "0123456789");
    stoa_file *file = contract_open(world, "f", STOA_OPEN_READ);
    assert_fails(stoa_file_write(file, "x", 1, &world->err), STOA_UNSUPPORTED, "write", world->err);
    contract_assert_named(world, "f");
    assert_fails(stoa_file_truncate(file, 1, &world->err), STOA_UNSUPPORTED, NULL, world->err);
    stoa_file_close(file);
    contract_assert_holds(world, "f", "0123456789");
}

/* What goes over a network stops; the others may be done before they look. */
static void assert_stopped(contract_world *world, stoa_status status) {
    if (status == STOA_CANCELLED) {
        assert_int_equal(world->err.status, STOA_CANCELLED);
        return;
    }
    assert_false(contract_has(world, STOA_FS_REMOTE));
    assert_ok(status, world->err);
}

static stoa_status ignore_entry(void *user, const char *name, const stoa_file_info *info,
                                stoa_error *err) {
    (void)user, (void)name, (void)info, (void)err;
    return STOA_OK;
}

static void a_triggered_token_stops_calls(void **state) {
    contract_world *world = *state;
    stoa_cancel *cancel = NULL;
    stoa_file *file = NULL, *second = NULL;
    stoa_file_info info;
    char buffer[4];
    contract_put_text(world, "f", "text");
    const char *uri = contract_at(world, "f");
    assert_ok(stoa_cancel_create(NULL, &cancel, &world->err), world->err);
    stoa_context context = {.pool = world->pool, .cancel = cancel};
    assert_ok(stoa_vfs_open(world->registry, uri, STOA_OPEN_READ, &context, &file, &world->err),
              world->err);
    stoa_cancel_trigger(cancel);
    stoa_status status = stoa_file_read(file, 0, buffer, 4, &world->err);
    if (status != STOA_OK || (world->subject->ways & CONTRACT_READS_AHEAD) == 0) {
        assert_stopped(world, status);
    }
    assert_stopped(world, stoa_vfs_stat(world->registry, uri, &context, &info, &world->err));
    assert_stopped(world, stoa_vfs_open(world->registry, uri, STOA_OPEN_READ, &context, &second,
                                        &world->err));
    stoa_file_close(second);
    if (!contract_lacks(world, CONTRACT_LACKS_LIST)) {
        assert_stopped(world, stoa_vfs_list(world->registry, world->base, &context, ignore_entry,
                                            NULL, &world->err));
    }
    stoa_file_close(file);
    stoa_cancel_close(cancel);
    contract_assert_holds(world, "f", "text");
}

const contract_test contract_reading_tests[] = {
    CONTRACT_TEST(ranges_are_read_where_they_lie),
    CONTRACT_TEST(reading_past_the_end_says_how_much_there_was),
    CONTRACT_TEST(vectored_reads_fill_every_range),
    CONTRACT_TEST(empty_files_are_files),
    CONTRACT_TEST(maps_show_the_whole_file, .needs = CONTRACT_LACKS_MAP),
    CONTRACT_TEST(whole_files_are_read_up_to_a_limit),
    CONTRACT_TEST(files_of_several_megabytes_come_back_whole),
    CONTRACT_TEST(many_threads_read_one_file, .has_threads = true),
    CONTRACT_TEST(a_change_under_a_reader_is_no_mixture),
    CONTRACT_TEST(an_open_file_outlives_its_name, .needs = CONTRACT_LACKS_REMOVE),
    CONTRACT_TEST(a_version_changes_with_the_content),
    CONTRACT_TEST(what_is_not_there_is_not_found),
    CONTRACT_TEST(reading_handles_do_not_write),
    CONTRACT_TEST(a_triggered_token_stops_calls),
    {.name = NULL},
};
