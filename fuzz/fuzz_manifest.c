/* Any bytes as a state store's manifest: as a log (first byte 0), or as the payloads of records with
 * right checksums (any other). What is read can be gone on with, and is read again the same. */
#include <stdint.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "lsm/manifest_format.h"
#include "vfs/vfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PAYLOAD_BYTES_MAX = 4096 };

static void require(bool condition) {
    if (!condition) {
        abort();
    }
}

/* Each payload has its size, 2 bytes, before it. */
static void frame(const uint8_t *data, size_t size, stoa_buffer *log) {
    stoa_byte_reader reader = stoa_byte_reader_of(data, size);
    uint64_t index = 0;
    require(stoa_manifest_header_encode(1, 1, log, NULL) == STOA_OK);
    require(stoa_manifest_edit_encode(&(stoa_manifest_edit){.next_file = 1}, 1, ++index, log,
                                      NULL) == STOA_OK);
    uint16_t wanted;
    while (stoa_byte_reader_get(&reader, &wanted, sizeof wanted)) {
        uint8_t payload[PAYLOAD_BYTES_MAX] = {0};
        size_t there = stoa_byte_reader_left(&reader);
        there = there < wanted % PAYLOAD_BYTES_MAX ? there : wanted % PAYLOAD_BYTES_MAX;
        require(stoa_byte_reader_get(&reader, payload, there));
        stoa_manifest_record record = {.size = (uint32_t)(there + 7) / 8 * 8, .index = ++index};
        record.crc = stoa_manifest_crc(1, &record, payload);
        require(stoa_buffer_append(log, &record, sizeof record, NULL) == STOA_OK);
        require(stoa_buffer_append(log, payload, record.size, NULL) == STOA_OK);
    }
}

static void put(stoa_fs_registry *registry, const uint8_t *data, size_t size, stoa_buffer *log) {
    static const char current[] = "MANIFEST-0000000000000001\n";
    const bool is_raw = size > 0 && data[0] == 0;
    if (is_raw) {
        require(stoa_buffer_append(log, data + 1, size - 1, NULL) == STOA_OK);
    } else {
        frame(data + (size > 0), size - (size > 0), log);
    }
    require(stoa_vfs_make_directories(registry, "memory:/db", NULL, NULL) == STOA_OK);
    require(stoa_vfs_replace(registry, "memory:/db/MANIFEST-0000000000000001", NULL, log->data,
                             log->size, NULL) == STOA_OK);
    require(stoa_vfs_replace(registry, "memory:/db/CURRENT", NULL, current, sizeof current - 1,
                             NULL) == STOA_OK);
}

static bool is_same(const stoa_manifest_state *a, const stoa_manifest_state *b) {
    bool same = a->table_count == b->table_count && a->file_count == b->file_count &&
                a->log_segment == b->log_segment && a->next_file == b->next_file &&
                a->last_sequence == b->last_sequence;
    for (int32_t i = 0; same && i < a->table_count; i++) {
        same = a->tables[i].id == b->tables[i].id &&
               strcmp(a->tables[i].definition, b->tables[i].definition) == 0;
    }
    return same;
}

/* Goes on where the manifest ends; who read it before follows. */
static void go_on(const stoa_manifest_options *reading, stoa_manifest *reader) {
    stoa_manifest_options writing = *reading;
    stoa_manifest *writer = NULL;
    bool changed;
    writing.read_only = false;
    writing.checkpoint_bytes = 1;
    require(stoa_manifest_open(&writing, &writer, NULL) == STOA_OK);
    require(is_same(stoa_manifest_state_of(reader), stoa_manifest_state_of(writer)));
    for (int i = 0; i < 2; i++) {
        const stoa_manifest_state *state = stoa_manifest_state_of(writer);
        const stoa_manifest_table table = state->table_count > 0 ? state->tables[0]
                                                                 : (stoa_manifest_table){1, "{}"};
        const stoa_manifest_edit edit = {.tables = &table,
                                         .table_count = 1,
                                         .flushed_sequence = (uint64_t)i};
        require(stoa_manifest_append(writer, &edit, NULL) == STOA_OK);
        require(stoa_manifest_follow(reader, &changed, NULL) == STOA_OK && changed);
        require(is_same(stoa_manifest_state_of(reader), stoa_manifest_state_of(writer)));
    }
    stoa_manifest_close(writer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    stoa_pool *pool = NULL;
    stoa_fs_registry *registry = NULL;
    stoa_manifest *reader = NULL;
    stoa_error err = STOA_ERROR_NONE;
    stoa_buffer log;
    require(stoa_pool_create(256 << 20, NULL, &pool, NULL) == STOA_OK);
    require(stoa_fs_registry_create(pool, &registry, NULL) == STOA_OK);
    stoa_buffer_init(&log, pool);
    put(registry, data, size, &log);
    const stoa_manifest_options options = {.context = {.pool = pool},
                                           .file_systems = registry,
                                           .directory = "memory:/db",
                                           .read_only = true};
    const stoa_status status = stoa_manifest_open(&options, &reader, &err);
    if (status == STOA_OK) {
        go_on(&options, reader);
        stoa_manifest_close(reader);
    } else {
        require(reader == NULL && err.message[0] != '\0');
        require(status == STOA_CORRUPT || status == STOA_UNSUPPORTED || status == STOA_LIMIT);
    }
    stoa_buffer_release(&log);
    stoa_fs_registry_close(registry);
    require(stoa_pool_used(pool) == 0);
    stoa_pool_close(pool);
    return 0;
}
