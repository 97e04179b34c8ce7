/* Reading and writing seek tables. A table is believed only when its sizes add up to the file's: it
 * is an ordinary frame that readers skip, so a file with a wrong one is still a file. */
#include "vfs/seek_table.h"

#include "base/bytes.h"

enum {
    FRAME_HEADER_BYTES = 8,
    FOOTER_BYTES = 9,
    ENTRY_BYTES = 8,
    CHECKSUM_BYTES = 4,
    FLAG_CHECKSUMS = 0x80,
    FLAGS_RESERVED = 0x7C,
    ENTRIES_MAX = 1 << 22 /* 32 MiB of table */
};

#define TABLE_MAGIC UINT32_C(0x184D2A5E)
#define FOOTER_MAGIC UINT32_C(0x8F92EAB1)

static stoa_status no_table(stoa_error *err) {
    return stoa_fail(err, STOA_NOT_FOUND, "there is no seek table that fits the file");
}

static stoa_status read_entries(const uint8_t *bytes, size_t count, size_t entry_bytes,
                                uint64_t frames_bytes, stoa_buffer *out, stoa_error *err) {
    uint64_t packed = 0;
    STOA_TRY(stoa_buffer_reserve_exact(out, count * sizeof(struct seek_entry), err));
    for (size_t i = 0; i < count; i++) {
        const uint8_t *from = bytes + i * entry_bytes;
        struct seek_entry entry = {stoa_load_u32(from), stoa_load_u32(from + 4),
                                   entry_bytes > ENTRY_BYTES ? stoa_load_u32(from + 8) : 0};
        packed += entry.packed_bytes;
        STOA_TRY(stoa_buffer_append(out, &entry, sizeof entry, err));
    }
    return packed == frames_bytes ? STOA_OK : no_table(err);
}

stoa_status stoa_seek_table_read(stoa_file *file, uint64_t file_size, stoa_buffer *out,
                                 uint64_t *out_table_bytes, bool *out_has_checksums,
                                 stoa_error *err) {
    uint8_t footer[FOOTER_BYTES];
    void *table = NULL;
    stoa_buffer_clear(out);
    *out_has_checksums = false;
    if (file_size < FRAME_HEADER_BYTES + FOOTER_BYTES) {
        return no_table(err);
    }
    STOA_TRY(stoa_file_read(file, file_size - FOOTER_BYTES, footer, FOOTER_BYTES, err));
    size_t count = stoa_load_u32(footer);
    bool has_checksums = (footer[4] & FLAG_CHECKSUMS) != 0;
    size_t entry_bytes = ENTRY_BYTES + (has_checksums ? CHECKSUM_BYTES : 0);
    uint64_t size = FRAME_HEADER_BYTES + (uint64_t)count * entry_bytes + FOOTER_BYTES;
    if (stoa_load_u32(footer + 5) != FOOTER_MAGIC || (footer[4] & FLAGS_RESERVED) != 0 ||
        count > ENTRIES_MAX || size > file_size) {
        return no_table(err);
    }
    STOA_TRY(stoa_pool_allocate(out->pool, (size_t)size, &table, err));
    const uint8_t *bytes = table;
    stoa_status status = stoa_file_read(file, file_size - size, table, (size_t)size, err);
    if (status == STOA_OK && (stoa_load_u32(bytes) != TABLE_MAGIC ||
                              stoa_load_u32(bytes + 4) != size - FRAME_HEADER_BYTES)) {
        status = no_table(err);
    }
    if (status == STOA_OK) {
        status = read_entries(bytes + FRAME_HEADER_BYTES, count, entry_bytes, file_size - size, out,
                              err);
    }
    stoa_pool_free(out->pool, table, (size_t)size);
    *out_table_bytes = size;
    *out_has_checksums = has_checksums;
    return status;
}

stoa_status stoa_seek_table_write(const stoa_buffer *entries, stoa_buffer *out, stoa_error *err) {
    uint8_t header[FRAME_HEADER_BYTES];
    uint8_t footer[FOOTER_BYTES] = {0};
    size_t count = entries->size / sizeof(struct seek_entry);
    stoa_store_u32(header, TABLE_MAGIC);
    stoa_store_u32(header + 4, (uint32_t)(count * ENTRY_BYTES + FOOTER_BYTES));
    stoa_store_u32(footer, (uint32_t)count);
    stoa_store_u32(footer + 5, FOOTER_MAGIC);
    STOA_TRY(stoa_buffer_append(out, header, sizeof header, err));
    for (size_t i = 0; i < count; i++) {
        const struct seek_entry *entry = (const struct seek_entry *)entries->data + i;
        uint8_t bytes[ENTRY_BYTES];
        stoa_store_u32(bytes, entry->packed_bytes);
        stoa_store_u32(bytes + 4, entry->plain_bytes);
        STOA_TRY(stoa_buffer_append(out, bytes, sizeof bytes, err));
    }
    return stoa_buffer_append(out, footer, sizeof footer, err);
}
