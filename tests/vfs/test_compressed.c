/* Compressed files: what they are recognised by, what their errors say, and how the reader behaves
 * where the formats are not what matters. That the bytes are right: prop_ and oracle_compressed. */
#include "support.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>
#include <zlib.h>

#include <stoa/context.h>

#include "base/bytes.h"
#include "vfs/compressed.h"
#include "vfs/unpack_index.h"

enum { PLAIN_BYTES = 3 << 20 };

struct world {
    support_world base;
    stoa_context context;
    uint8_t *plain;
    stoa_error err;
};

/* "packed:" is the compressed file system before a memory one that can fail, "stored:" that one. */
static stoa_fs_operations borrowed;

static int open_world(void **state) {
    struct world *world = test_calloc(1, sizeof *world);
    stoa_error err = STOA_ERROR_NONE;
    stoa_fs *stored = NULL;
    stoa_fs fs;
    const char *path = NULL;
    support_random random = {5};
    support_world_open(&world->base);
    world->context.pool = world->base.pool;
    assert_ok(stoa_fs_find(world->base.registry, "test:/x", &stored, &path, &err), err);
    borrowed = *stored->operations;
    borrowed.close = NULL;
    assert_ok(stoa_fs_compressed_create(world->base.pool, (stoa_fs){&borrowed, stored->state},
                                        STOA_PACKING_NONE, &fs, &err),
              err);
    assert_ok(stoa_fs_register(world->base.registry, "packed", fs, &err), err);
    world->plain = test_malloc(PLAIN_BYTES);
    for (size_t i = 0; i < PLAIN_BYTES; i++) {
        world->plain[i] = (uint8_t)(support_random_below(&random, 6) + (i >> 14));
    }
    *state = world;
    return 0;
}

static int close_world(void **state) {
    struct world *world = *state;
    test_free(world->plain);
    support_world_close(&world->base);
    test_free(world);
    return 0;
}

static stoa_file *open_file(struct world *world, const char *uri, stoa_open_mode mode) {
    stoa_file *file = NULL;
    assert_ok(stoa_vfs_open(world->base.registry, uri, mode, &world->context, &file, &world->err),
              world->err);
    return file;
}

static void write_plain(struct world *world, const char *uri, stoa_open_mode mode, size_t size) {
    stoa_file *file = open_file(world, uri, mode);
    assert_ok(stoa_file_write(file, world->plain, size, &world->err), world->err);
    stoa_file_close(file);
}

static stoa_packing packing_at(struct world *world, const char *uri) {
    uint8_t head[STOA_PACKING_HEAD_BYTES];
    size_t got = 0;
    stoa_file *file = open_file(world, uri, STOA_OPEN_READ);
    assert_ok(stoa_file_read_some(file, 0, head, sizeof head, &got, &world->err), world->err);
    stoa_file_close(file);
    return stoa_packing_recognise(head, got);
}

static void texts_are_not_taken_for_packed_files(void **state) {
    static const struct {
        const char *bytes;
        size_t size;
        stoa_packing packing;
    } heads[] = {
        {"", 0, STOA_PACKING_NONE},
        {"a,b\n1,2\n", 8, STOA_PACKING_NONE},
        {"\x1F\x8B", 2, STOA_PACKING_GZIP},
        {"\x1F\x8B\x08\0", 4, STOA_PACKING_GZIP},
        {"\x1F\x8B\x07\0", 4, STOA_PACKING_NONE},
        {"\x1F\x8B\x08\xE0", 4, STOA_PACKING_NONE},
        {"\x28\xB5\x2F\xFD\x04", 5, STOA_PACKING_ZSTD},
        {"\x28\xB5\x2F\xFD\x08", 5, STOA_PACKING_NONE},
        {"(\xB5/", 3, STOA_PACKING_NONE},
        {"\x04\x22\x4D\x18\x64\x40\xA7", 7, STOA_PACKING_LZ4},
        {"\x04\x22\x4D\x18\x64\x40\xA8", 7, STOA_PACKING_NONE},
        {"\x04\x22\x4D\x18\x64\x40", 6, STOA_PACKING_LZ4},
        {"\x02\x21\x4C\x18", 4, STOA_PACKING_LZ4},
        {"BZh9 is how a text begins", 25, STOA_PACKING_NONE},
        {"BZh91AY&SY", 10, STOA_PACKING_BZIP2},
        {"BZh9\x17\x72\x45\x38\x50\x90", 10, STOA_PACKING_BZIP2},
        {"\xFD"
         "7zXZ\0\0\x04",
         8, STOA_PACKING_XZ},
        {"\x50\x2A\x4D\x18\x01\0\0\0x\x28\xB5\x2F\xFD\0", 14, STOA_PACKING_ZSTD},
        {"\x5F\x2A\x4D\x18\x01\0\0\0x\x04\x22\x4D\x18\x64\x40\xA7", 16, STOA_PACKING_LZ4},
        {"\x50\x2A\x4D\x18\x01\0\0\0xtext", 13, STOA_PACKING_NONE},
        {"\x50\x2A\x4D\x18\xFF\0\0\0x", 9, STOA_PACKING_ZSTD},
    };
    (void)state;
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        assert_int_equal(stoa_packing_recognise(heads[i].bytes, heads[i].size), heads[i].packing);
    }
}

static void names_tell_a_packing_by_their_ending(void **state) {
    size_t stem = 0;
    (void)state;
    assert_int_equal(stoa_packing_of_name("a.csv.gz", &stem), STOA_PACKING_GZIP);
    assert_int_equal(stem, 5);
    assert_int_equal(stoa_packing_of_name("A.ZST", &stem), STOA_PACKING_ZSTD);
    assert_int_equal(stem, 1);
    assert_int_equal(stoa_packing_of_name("a.zstd", NULL), STOA_PACKING_ZSTD);
    assert_int_equal(stoa_packing_of_name("a.lz4", NULL), STOA_PACKING_LZ4);
    assert_int_equal(stoa_packing_of_name("a.bz2", NULL), STOA_PACKING_BZIP2);
    assert_int_equal(stoa_packing_of_name("a.xz", NULL), STOA_PACKING_XZ);
    assert_int_equal(stoa_packing_of_name(".gz", &stem), STOA_PACKING_NONE);
    assert_int_equal(stem, 3);
    assert_int_equal(stoa_packing_of_name("gz", NULL), STOA_PACKING_NONE);
    assert_string_equal(stoa_packing_name(STOA_PACKING_BZIP2), "bzip2");
}

static void the_ending_of_a_name_packs_and_the_content_unpacks(void **state) {
    struct world *world = *state;
    uint8_t back[64];
    stoa_file_info info;
    write_plain(world, "packed:/f.gz", STOA_OPEN_CREATE, PLAIN_BYTES);
    write_plain(world, "packed:/f", STOA_OPEN_CREATE, PLAIN_BYTES);
    assert_int_equal(packing_at(world, "test:/f.gz"), STOA_PACKING_GZIP);
    assert_int_equal(packing_at(world, "test:/f"), STOA_PACKING_NONE);
    assert_ok(stoa_vfs_rename(world->base.registry, "packed:/f.gz", "packed:/g", NULL, &world->err),
              world->err);
    stoa_file *file = open_file(world, "packed:/g", STOA_OPEN_READ);
    assert_ok(stoa_file_read(file, PLAIN_BYTES - 64, back, 64, &world->err), world->err);
    assert_memory_equal(back, world->plain + PLAIN_BYTES - 64, 64);
    stoa_file_close(file);
    assert_ok(stoa_vfs_stat(world->base.registry, "packed:/g", NULL, &info, &world->err),
              world->err);
    assert_true(info.size < PLAIN_BYTES * 3 / 4);
}

static void only_what_can_be_written_is(void **state) {
    struct world *world = *state;
    stoa_file *file = NULL;
    assert_fails(stoa_vfs_open(world->base.registry, "packed:/f.xz", STOA_OPEN_CREATE, NULL, &file,
                               &world->err),
                 STOA_UNSUPPORTED, "xz files are only read", world->err);
    assert_fails(stoa_vfs_open(world->base.registry, "packed:/f.bz2", STOA_OPEN_REPLACE, NULL,
                               &file, &world->err),
                 STOA_UNSUPPORTED, "bzip2 files are only read", world->err);
    write_plain(world, "test:/f.zst", STOA_OPEN_CREATE, 100);
    assert_fails(stoa_vfs_open(world->base.registry, "packed:/f.zst", STOA_OPEN_APPEND, NULL, &file,
                               &world->err),
                 STOA_INVALID, "not packed with zstd", world->err);
    write_plain(world, "packed:/g.gz", STOA_OPEN_CREATE, 100);
    write_plain(world, "packed:/g.gz", STOA_OPEN_APPEND, 100);
    file = open_file(world, "packed:/g.gz", STOA_OPEN_READ);
    uint64_t size = 0;
    assert_ok(stoa_file_size(file, &size, &world->err), world->err);
    assert_int_equal(size, 200);
    stoa_file_close(file);
}

static void files_are_put_packed(void **state) {
    struct world *world = *state;
    char version[64];
    stoa_buffer back;
    assert_ok(stoa_vfs_put_if(world->base.registry, "packed:/f.lz4", NULL, "", world->plain, 5000,
                              version, &world->err),
              world->err);
    assert_int_equal(packing_at(world, "test:/f.lz4"), STOA_PACKING_LZ4);
    assert_ok(stoa_vfs_read_all(world->base.registry, "packed:/f.lz4", NULL, 9999, world->base.pool,
                                &back, &world->err),
              world->err);
    assert_int_equal(back.size, 5000);
    assert_memory_equal(back.data, world->plain, 5000);
    stoa_buffer_release(&back);
}

static void keep_line(void *user, stoa_log_level level, const char *module, const char *message) {
    (void)module;
    assert_int_equal(level, STOA_LOG_WARN);
    (void)snprintf(user, STOA_ERROR_MESSAGE_BYTES, "%s", message);
}

static void a_close_that_cannot_write_says_so_in_the_log(void **state) {
    struct world *world = *state;
    char line[STOA_ERROR_MESSAGE_BYTES] = "";
    const stoa_logger logger = {.function = keep_line, .user = line, .level = STOA_LOG_WARN};
    world->context.logger = &logger;
    for (int synced = 0; synced < 2; synced++) {
        stoa_file *file = open_file(world, "packed:/f.gz", STOA_OPEN_REPLACE);
        assert_ok(stoa_file_write(file, world->plain, 100, &world->err), world->err);
        if (synced) {
            assert_ok(stoa_file_sync(file, &world->err), world->err);
        }
        line[0] = '\0';
        stoa_fault_plan(world->base.fault, &(stoa_fault_options){.fail_at = 1, .fails_on = true});
        stoa_file_close(file);
        stoa_fault_plan(world->base.fault, NULL);
        assert_int_equal(strstr(line, "/f.gz' was closed without all") != NULL, !synced);
    }
    world->context.logger = NULL;
}

static void replaced_files_are_packed_too(void **state) {
    struct world *world = *state;
    stoa_buffer back;
    for (size_t size = 5000; size < 5002; size++) {
        assert_ok(stoa_vfs_replace(world->base.registry, "packed:/f.gz", NULL, world->plain, size,
                                   &world->err),
                  world->err);
        assert_int_equal(packing_at(world, "test:/f.gz"), STOA_PACKING_GZIP);
        assert_ok(stoa_vfs_read_all(world->base.registry, "packed:/f.gz", NULL, 9999,
                                    world->base.pool, &back, &world->err),
                  world->err);
        assert_int_equal(back.size, size);
        assert_memory_equal(back.data, world->plain, size);
        stoa_buffer_release(&back);
    }
}

/* One member, as zlib makes it. */
static size_t deflate_member(const uint8_t *in, size_t size, uint8_t *out, size_t room) {
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)in;
    stream.avail_in = (uInt)size;
    stream.next_out = out;
    stream.avail_out = (uInt)room;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    (void)deflateEnd(&stream);
    return room - stream.avail_out;
}

/* zlib makes one block of so many zeros. A place to begin with is wanted from 2 MiB on, and the first
 * that comes is the end of the block and of its member: a state that is saved there leads nowhere. */
static void a_member_may_end_where_a_place_is_wanted(void **state) {
    enum { SECOND_BYTES = 1000 };
    struct world *world = *state;
    uint8_t packed[16384];
    uint8_t back[SECOND_BYTES];
    uint64_t size = 0;
    memset(world->plain, 0, PLAIN_BYTES);
    for (size_t first = 1; first <= PLAIN_BYTES; first += PLAIN_BYTES - 1) {
        size_t packed_bytes = deflate_member(world->plain, first, packed, sizeof packed / 2);
        packed_bytes += deflate_member(world->plain, SECOND_BYTES, packed + packed_bytes,
                                       sizeof packed / 2);
        assert_ok(stoa_vfs_replace(world->base.registry, "test:/f", NULL, packed, packed_bytes,
                                   &world->err),
                  world->err);
        stoa_file *file = open_file(world, "packed:/f", STOA_OPEN_READ);
        assert_ok(stoa_file_size(file, &size, &world->err), world->err);
        assert_int_equal(size, first + SECOND_BYTES);
        assert_ok(stoa_file_read(file, 0, back, 1, &world->err), world->err);
        assert_ok(stoa_file_read(file, first, back, SECOND_BYTES, &world->err), world->err);
        assert_memory_equal(back, world->plain, SECOND_BYTES);
        stoa_file_close(file);
    }
}

/* Makes of "test:/f" what `change` makes of its bytes. */
static void damage(struct world *world, const char *uri, size_t cut, size_t flip) {
    stoa_buffer bytes;
    assert_ok(stoa_vfs_read_all(world->base.registry, uri, NULL, PLAIN_BYTES * 2, world->base.pool,
                                &bytes, &world->err),
              world->err);
    bytes.size -= cut;
    if (flip > 0) {
        bytes.data[bytes.size - flip] ^= 1;
    }
    assert_ok(stoa_vfs_replace(world->base.registry, uri, NULL, bytes.data, bytes.size,
                               &world->err),
              world->err);
    stoa_buffer_release(&bytes);
}

static void damage_is_named_with_its_place(void **state) {
    struct world *world = *state;
    uint8_t byte;
    uint8_t *back = test_malloc(PLAIN_BYTES + 1);
    size_t got = 0;
    static const char *const names[] = {"f.gz", "f.zst", "f.lz4"};
    static const char *const frames[] = {"gzip member at packed byte", "zstd frame at packed byte",
                                         "LZ4 frame at packed byte"};
    for (size_t i = 0; i < 3; i++) {
        char packed[32], stored[32];
        (void)snprintf(packed, sizeof packed, "packed:/%s", names[i]);
        (void)snprintf(stored, sizeof stored, "test:/%s", names[i]);
        for (int way = 0; way < 2; way++) {
            write_plain(world, packed, STOA_OPEN_REPLACE, PLAIN_BYTES);
            damage(world, stored, way == 0 ? 100 : 0, way == 0 ? 0 : 300);
            stoa_file *file = open_file(world, packed, STOA_OPEN_READ);
            for (int again = 0; again < 2; again++) {
                assert_fails(stoa_file_read_some(file, 0, back, PLAIN_BYTES + 1, &got, &world->err),
                             STOA_CORRUPT, frames[i], world->err);
                assert_non_null(strstr(world->err.message, packed));
            }
            assert_ok(stoa_file_read(file, 1000, &byte, 1, &world->err), world->err);
            assert_int_equal(byte, world->plain[1000]);
            stoa_file_close(file);
        }
    }
    test_free(back);
}

/* Who reads exactly what is there never asks for more: the checksum is looked at all the same. */
static void the_last_read_looks_at_the_checksum(void **state) {
    struct world *world = *state;
    static const char *const names[] = {"f.gz", "f.zst", "f.lz4"};
    static const size_t behind_checksum[] = {28 + 8, 8 + 3 * 8 + 9 + 1, 1};
    for (size_t i = 0; i < 3; i++) {
        char packed[32], stored[32];
        uint8_t byte;
        (void)snprintf(packed, sizeof packed, "packed:/%s", names[i]);
        (void)snprintf(stored, sizeof stored, "test:/%s", names[i]);
        write_plain(world, packed, STOA_OPEN_REPLACE, PLAIN_BYTES);
        damage(world, stored, 0, behind_checksum[i]);
        stoa_file *file = open_file(world, packed, STOA_OPEN_READ);
        assert_fails(stoa_file_read(file, PLAIN_BYTES - 1, &byte, 1, &world->err), STOA_CORRUPT,
                     packed, world->err);
        stoa_file_close(file);
    }
}

/* A seek table that adds up to the file and lies about its frames. */
static void a_wrong_seek_table_is_found_out(void **state) {
    struct world *world = *state;
    stoa_buffer bytes;
    uint8_t byte;
    write_plain(world, "packed:/f.zst", STOA_OPEN_CREATE, PLAIN_BYTES);
    assert_ok(stoa_vfs_read_all(world->base.registry, "test:/f.zst", NULL, PLAIN_BYTES,
                                world->base.pool, &bytes, &world->err),
              world->err);
    uint8_t *entry = bytes.data + bytes.size - 9 - 3 * 8;
    entry[4] ^= 1; /* the plain size of the first of three frames */
    assert_ok(stoa_vfs_replace(world->base.registry, "test:/f.zst", NULL, bytes.data, bytes.size,
                               &world->err),
              world->err);
    stoa_buffer_release(&bytes);
    stoa_file *file = open_file(world, "packed:/f.zst", STOA_OPEN_READ);
    uint64_t size = 0;
    assert_ok(stoa_file_size(file, &size, &world->err), world->err);
    assert_int_equal(size, PLAIN_BYTES + 1);
    stoa_status status = STOA_OK;
    for (uint64_t at = 0; at < size && status == STOA_OK; at += 100000) {
        status = stoa_file_read(file, at, &byte, 1, &world->err);
    }
    assert_int_equal(status, STOA_CORRUPT);
    assert_non_null(strstr(world->err.message, "table"));
    stoa_file_close(file);
}

/* What the packed file system writes, with checksums in its table; `wrong` (0: none) is not right. */
static void write_with_checksums(struct world *world, size_t wrong) {
    enum { FRAMES = 4, FOOTER_BYTES = 9 };
    stoa_buffer bytes;
    uint64_t plain = 0;
    assert_ok(stoa_vfs_read_all(world->base.registry, "test:/f.zst", NULL, PLAIN_BYTES,
                                world->base.pool, &bytes, &world->err),
              world->err);
    uint8_t *entry = bytes.data + bytes.size - FOOTER_BYTES - FRAMES * 8;
    uint8_t table[8 + FRAMES * 12 + FOOTER_BYTES] = "\x5E\x2A\x4D\x18";
    stoa_store_u32(table + 4, sizeof table - 8);
    for (size_t i = 0; i < FRAMES; i++, entry += 8) {
        uint8_t *to = table + 8 + i * 12;
        uint32_t size = stoa_load_u32(entry + 4);
        memcpy(to, entry, 8);
        stoa_store_u32(to + 8, (uint32_t)XXH64(world->plain + plain, size, 0) ^ (i + 1 == wrong));
        plain += size;
    }
    memcpy(table + sizeof table - FOOTER_BYTES, entry, FOOTER_BYTES);
    table[sizeof table - 5] = 0x80;
    bytes.size -= FOOTER_BYTES + FRAMES * 8 + 8;
    assert_ok(stoa_buffer_append(&bytes, table, sizeof table, &world->err), world->err);
    assert_ok(stoa_vfs_replace(world->base.registry, "test:/g.zst", NULL, bytes.data, bytes.size,
                               &world->err),
              world->err);
    stoa_buffer_release(&bytes);
}

/* Three frames, and between the first two of them the table that was the file's end once. */
static void the_checksums_of_a_seek_table_are_looked_at(void **state) {
    enum { FRAME_BYTES = 1 << 20 };
    struct world *world = *state;
    uint8_t byte;
    uint64_t size = 0;
    write_plain(world, "packed:/f.zst", STOA_OPEN_CREATE, FRAME_BYTES);
    stoa_file *file = open_file(world, "packed:/f.zst", STOA_OPEN_APPEND);
    assert_ok(stoa_file_write(file, world->plain + FRAME_BYTES, FRAME_BYTES * 2, &world->err),
              world->err);
    stoa_file_close(file);
    for (size_t wrong = 0; wrong <= 4; wrong++) {
        write_with_checksums(world, wrong);
        file = open_file(world, "packed:/g.zst", STOA_OPEN_READ);
        assert_ok(stoa_file_size(file, &size, &world->err), world->err);
        assert_int_equal(size, FRAME_BYTES * 3);
        for (size_t frame = 3; frame-- > 0;) {
            size_t entry = frame == 0 ? 1 : frame + 2; /* the second tells of the old table */
            stoa_status status = stoa_file_read(file, (frame + 1) * FRAME_BYTES - 1, &byte, 1,
                                                &world->err);
            assert_int_equal(status, entry == wrong ? STOA_CORRUPT : STOA_OK);
            assert_true(status == STOA_OK || strstr(world->err.message, "checksum") != NULL);
        }
        stoa_file_close(file);
    }
}

static void a_failure_of_the_moment_passes(void **state) {
    struct world *world = *state;
    uint8_t back[1000];
    write_plain(world, "packed:/f.gz", STOA_OPEN_CREATE, PLAIN_BYTES);
    stoa_file *file = open_file(world, "packed:/f.gz", STOA_OPEN_READ);
    stoa_fault_plan(world->base.fault,
                    &(stoa_fault_options){.call = STOA_FAULT_READ, .fail_at = 2});
    assert_fails(stoa_file_read(file, PLAIN_BYTES - 1000, back, 1000, &world->err), STOA_IO,
                 "packed:/f.gz", world->err);
    assert_ok(stoa_file_read(file, PLAIN_BYTES - 1000, back, 1000, &world->err), world->err);
    assert_memory_equal(back, world->plain + PLAIN_BYTES - 1000, 1000);
    stoa_fault_plan(world->base.fault, NULL);
    stoa_file_close(file);
}

static void a_token_ends_a_long_way(void **state) {
    struct world *world = *state;
    uint8_t byte;
    write_plain(world, "packed:/f.gz", STOA_OPEN_CREATE, PLAIN_BYTES);
    assert_ok(stoa_cancel_create(NULL, &world->context.cancel, &world->err), world->err);
    stoa_file *file = open_file(world, "packed:/f.gz", STOA_OPEN_READ);
    assert_ok(stoa_file_read(file, 0, &byte, 1, &world->err), world->err);
    stoa_cancel_trigger(world->context.cancel);
    assert_fails(stoa_file_read(file, PLAIN_BYTES - 1, &byte, 1, &world->err), STOA_CANCELLED, NULL,
                 world->err);
    stoa_file_close(file);
    stoa_cancel_close(world->context.cancel);
}

static void pipes_are_read_in_order(void **state) {
    struct world *world = *state;
    static const uint8_t text[] = "a plain text";
    char back[32] = "";
    int ends[2];
    stoa_file *pipe_file = NULL;
    stoa_file *file = NULL;
    stoa_packing packing;
    size_t got = 0;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text, sizeof text), sizeof text);
    assert_int_equal(close(ends[1]), 0);
    assert_ok(stoa_file_from_descriptor(world->base.pool, ends[0], "a pipe", &pipe_file,
                                        &world->err),
              world->err);
    assert_ok(stoa_compressed_open(&world->context, pipe_file, &packing, &file, &world->err),
              world->err);
    assert_int_equal(packing, STOA_PACKING_NONE);
    assert_string_equal(stoa_file_uri(file), "a pipe");
    assert_ok(stoa_file_read_some(file, 0, back, sizeof back, &got, &world->err), world->err);
    assert_int_equal(got, sizeof text);
    assert_string_equal(back, (const char *)text);
    stoa_file_close(file);
    assert_int_equal(close(ends[0]), 0);
}

static void a_full_index_keeps_every_second_place(void **state) {
    enum { STATE_BYTES = 1 << 20, POINTS = 40, STEP = 1 << 30 };
    struct world *world = *state;
    struct unpack_index index;
    stoa_unpack_index_init(&index, world->base.pool);
    for (uint64_t i = 1; i <= POINTS; i++) {
        struct unpack_point point = {.plain = i * STEP, .packed = i, .saved_bytes = STATE_BYTES};
        assert_ok(stoa_pool_allocate(world->base.pool, STATE_BYTES, &point.saved, &world->err),
                  world->err);
        stoa_unpack_index_add(&index, point);
        assert_true(index.saved_bytes <= 16 << 20);
        struct unpack_point found = stoa_unpack_index_find(&index, i * STEP + 5);
        assert_true(found.plain <= i * STEP && found.packed <= i);
    }
    assert_true(index.count >= 8);
    for (size_t i = 1; i < index.count; i++) {
        assert_true(index.points[i - 1].plain < index.points[i].plain);
    }
    assert_int_equal(stoa_unpack_index_find(&index, STEP - 1).packed, 0);
    stoa_unpack_index_release(&index);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_world, close_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_not_taken_for_packed_files),
        cmocka_unit_test(names_tell_a_packing_by_their_ending),
        TEST(the_ending_of_a_name_packs_and_the_content_unpacks),
        TEST(only_what_can_be_written_is),
        TEST(files_are_put_packed),
        TEST(a_close_that_cannot_write_says_so_in_the_log),
        TEST(replaced_files_are_packed_too),
        TEST(a_member_may_end_where_a_place_is_wanted),
        TEST(damage_is_named_with_its_place),
        TEST(the_last_read_looks_at_the_checksum),
        TEST(a_wrong_seek_table_is_found_out),
        TEST(the_checksums_of_a_seek_table_are_looked_at),
        TEST(a_failure_of_the_moment_passes),
        TEST(a_token_ends_a_long_way),
        TEST(pipes_are_read_in_order),
        TEST(a_full_index_keeps_every_second_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
