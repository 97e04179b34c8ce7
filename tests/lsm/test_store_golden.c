/* A whole store of this version of the formats, kept as files: tables of several kinds with rows in files,
 * compressed, loaded in bulk and under an older schema, and in the log. Whatever is written differently
 * later, it must still be opened and give the rows of `rows.txt`. `test_lsm_store_golden write`, in the root
 * of the repository, writes it anew (before a first release only: afterwards a store that cannot be read
 * any more is a bug). */
#include "base/hash.h"
#include "golden_store.h"
#include "lsm/manifest_format.h"
#include "lsm/sstable_format.h"
#include "lsm/wal_format.h"

#define GOLDEN "tests/lsm/golden/store-1"

enum { FILE_BYTES_MAX = 1 << 20 };

/* ---- Files ------------------------------------------------------------------------------------ */

struct copying {
    struct world *world;
    const char *from, *to;
    int64_t count;
};

static void read_file(struct world *world, const char *directory, const char *name,
                      stoa_buffer *out) {
    char uri[256];
    (void)snprintf(uri, sizeof uri, "%s/%s", directory, name);
    assert_ok(stoa_vfs_read_all(world->file_systems, uri, NULL, FILE_BYTES_MAX, pool, out, &err),
              err);
}

static void write_file(struct world *world, const char *directory, const char *name,
                       const void *bytes, size_t size) {
    char uri[256];
    (void)snprintf(uri, sizeof uri, "%s/%s", directory, name);
    assert_ok(stoa_vfs_replace(world->file_systems, uri, NULL, bytes, size, &err), err);
}

static stoa_status copy_file(void *user, const char *name, const stoa_file_info *info,
                             stoa_error *e) {
    struct copying *copying = user;
    stoa_buffer bytes;
    (void)info, (void)e;
    if (strcmp(name, "LOCK") != 0 && strcmp(name, "rows.txt") != 0) {
        read_file(copying->world, copying->from, name, &bytes);
        write_file(copying->world, copying->to, name, bytes.data, bytes.size);
        stoa_buffer_release(&bytes);
        copying->count++;
    }
    return STOA_OK;
}

static void copy_files(struct world *world, const char *from, const char *to) {
    struct copying copying = {world, from, to, 0};
    assert_ok(stoa_vfs_list(world->file_systems, from, NULL, copy_file, &copying, &err), err);
    assert_true(copying.count > 5);
}

static void copy_golden(struct world *world) {
    assert_ok(stoa_vfs_make_directories(world->file_systems, PLACE, NULL, &err), err);
    copy_files(world, GOLDEN, PLACE);
}

/* ---- What it holds ---------------------------------------------------------------------------- */

static void print_table(struct world *world, int table, stoa_buffer *out) {
    struct ArrowArrayStream rows;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    stoa_text *text = NULL;
    assert_ok(stoa_buffer_append_format(out, &err, "table %d\n", table + 1), err);
    assert_ok(stoa_state_scan(world->tables[table], &(stoa_state_scan_options){0}, &rows, &err),
              err);
    assert_int_equal(rows.get_schema(&rows, &schema), 0);
    assert_ok(stoa_text_create(pool, &text, &err), err);
    for (;;) {
        assert_ok(stoa_stream_next(&rows, &batch, &err), err);
        if (batch.release == NULL) {
            break;
        }
        for (int64_t i = 0; i < batch.length; i++) {
            assert_ok(stoa_text_value(text, &schema, &batch, i, STOA_TEXT_JSON, &err), err);
            assert_ok(stoa_buffer_append_format(out, &err, "%s\n", stoa_text_view(text, NULL)),
                      err);
        }
        stoa_arrow_array_release(&batch);
    }
    stoa_text_close(text);
    stoa_arrow_schema_release(&schema);
    stoa_arrow_stream_release(&rows);
}

static void print_rows(struct world *world, stoa_buffer *out) {
    stoa_buffer_init(out, pool);
    for (int i = 0; i < DROPPED; i++) {
        print_table(world, i, out);
    }
}

static void check_rows(struct world *world) {
    stoa_buffer expected, found;
    read_file(world, GOLDEN, "rows.txt", &expected);
    print_rows(world, &found);
    const char *end = (const char *)found.data + found.size;
    for (const char *at = (const char *)found.data, *with = (const char *)expected.data;
         at < end;) {
        const char *line = memchr(at, '\n', (size_t)(end - at));
        const size_t size = (size_t)(line - at) + 1;
        if (with + size > (const char *)expected.data + expected.size ||
            memcmp(at, with, size) != 0) {
            fail_msg("found a row that is another: %.*s", (int)size - 1, at);
        }
        at += size;
        with += size;
    }
    assert_int_equal(found.size, expected.size);
    stoa_buffer_release(&expected);
    stoa_buffer_release(&found);
}

/* ---- The tests -------------------------------------------------------------------------------- */

static void test_the_golden_store_is_read(void **state) {
    static const char *const boots[] = {"golden", "another run of the machine"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct world world;
        world_begin(&world);
        copy_golden(&world);
        open_store(&world, true, boots[i]);
        check_rows(&world);
        world_end(&world);
    }
}

static void test_the_golden_store_is_written_to(void **state) {
    struct world world;
    (void)state;
    world_begin(&world);
    copy_golden(&world);
    for (int round = 0; round < 3; round++) {
        open_store(&world, false, round == 0 ? "golden" : "another run of the machine");
        check_rows(&world);
        if (round == 1) {
            assert_ok(stoa_state_flush(world.tables[TOTALS], &err), err);
            check_rows(&world);
            for (int i = 0; i < DROPPED; i++) {
                assert_ok(stoa_state_compact(world.tables[i], NULL, 0, NULL, 0, NULL, &err), err);
            }
            check_rows(&world);
        }
        close_store(&world);
    }
    world_end(&world);
}

/* Raises the version in a file, as a newer version would write it. */
static void raise_version(const char *name, stoa_buffer *bytes) {
    const char *end = strrchr(name, '.');
    if (end == NULL) {
        stoa_manifest_header *header = (stoa_manifest_header *)(void *)bytes->data;
        header->version++;
        header->crc = stoa_crc32c(0, header, offsetof(stoa_manifest_header, crc));
    } else if (strcmp(end, ".log") == 0) {
        stoa_wal_header *header = (stoa_wal_header *)(void *)bytes->data;
        header->version++;
        header->crc = stoa_wal_header_crc(header);
    } else {
        stoa_sst_header *header = (stoa_sst_header *)(void *)bytes->data;
        stoa_sst_footer *footer = (stoa_sst_footer *)(void *)(bytes->data + bytes->size -
                                                              sizeof *footer);
        header->version++;
        footer->version++;
        footer->crc = stoa_crc32c(0, footer, offsetof(stoa_sst_footer, crc));
    }
}

static stoa_status check_raised(void *user, const char *name, const stoa_file_info *info,
                                stoa_error *e) {
    struct copying *copying = user;
    stoa_buffer bytes;
    (void)info, (void)e;
    if (strcmp(name, "CURRENT") == 0 || strcmp(name, "LOCK") == 0 ||
        strcmp(name, "rows.txt") == 0) {
        return STOA_OK;
    }
    read_file(copying->world, GOLDEN, name, &bytes);
    raise_version(name, &bytes);
    write_file(copying->world, PLACE, name, bytes.data, bytes.size);
    for (int read_only = 0; read_only < 2; read_only++) {
        assert_fails(try_open(copying->world, read_only, "golden"), STOA_UNSUPPORTED, "but found 2",
                     err);
    }
    stoa_buffer_release(&bytes);
    read_file(copying->world, GOLDEN, name, &bytes);
    write_file(copying->world, PLACE, name, bytes.data, bytes.size);
    stoa_buffer_release(&bytes);
    copying->count++;
    return STOA_OK;
}

/* Each of its files; and nothing was removed or changed by those who could not read it. */
static void test_a_newer_version_is_refused(void **state) {
    struct world world;
    struct copying copying = {&world, GOLDEN, PLACE, 0};
    (void)state;
    world_begin(&world);
    copy_golden(&world);
    assert_ok(stoa_vfs_list(world.file_systems, GOLDEN, NULL, check_raised, &copying, &err), err);
    assert_true(copying.count > 5);
    open_store(&world, false, "golden");
    check_rows(&world);
    world_end(&world);
}

/* Turns the order of the first table's keys round, in what the manifest says of it. */
static void turn_key(stoa_buffer *bytes) {
    static const char ascending[] = "\"descending\":false", descending[] = "\"descending\":true ";
    stoa_manifest_header header;
    memcpy(&header, bytes->data, sizeof header);
    for (size_t at = sizeof header; at + sizeof(stoa_manifest_record) <= bytes->size;) {
        stoa_manifest_record *record = (stoa_manifest_record *)(void *)(bytes->data + at);
        uint8_t *payload = bytes->data + at + sizeof *record;
        uint8_t *found = memmem(payload, record->size, ascending, strlen(ascending));
        if (found != NULL) {
            memcpy(found, descending, strlen(descending));
            record->crc = stoa_manifest_crc(header.number, record, payload);
            return;
        }
        at += sizeof *record + record->size;
    }
    fail_msg("no ascending key was found");
}

static void test_another_order_of_keys_is_refused(void **state) {
    static const char name[] = "MANIFEST-0000000000000001";
    struct world world;
    stoa_buffer bytes;
    (void)state;
    world_begin(&world);
    copy_golden(&world);
    read_file(&world, GOLDEN, name, &bytes);
    turn_key(&bytes);
    write_file(&world, PLACE, name, bytes.data, bytes.size);
    stoa_buffer_release(&bytes);
    for (int read_only = 0; read_only < 2; read_only++) {
        assert_fails(try_open(&world, read_only, "golden"), STOA_INVALID,
                     "another key than expected", err);
    }
    world_end(&world);
}

/* ---- Writing it ------------------------------------------------------------------------------- */

static void write_golden(void) {
    struct world world;
    stoa_buffer rows;
    world_begin(&world);
    assert_ok(stoa_vfs_make_directories(world.file_systems, PLACE, NULL, &err), err);
    assert_ok(try_open(&world, false, "golden"), err);
    fill_store(&world);
    print_rows(&world, &rows);
    close_store(&world);
    assert_ok(stoa_vfs_remove_tree(world.file_systems, GOLDEN, NULL, &err), err);
    assert_ok(stoa_vfs_make_directories(world.file_systems, GOLDEN, NULL, &err), err);
    copy_files(&world, PLACE, GOLDEN);
    write_file(&world, GOLDEN, "rows.txt", rows.data, rows.size);
    stoa_buffer_release(&rows);
    world_end(&world);
}

static int setup(void **state) {
    (void)state;
    pool = support_pool_open();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    support_pool_close(pool);
    return 0;
}

int main(int count, char **arguments) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_golden_store_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_golden_store_is_written_to, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_newer_version_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_order_of_keys_is_refused, setup, teardown),
    };
    if (count == 2 && strcmp(arguments[1], "write") == 0) {
        pool = support_pool_open();
        write_golden();
        support_pool_close(pool);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
