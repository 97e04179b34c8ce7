/* zstd: frames one after the other, and frames that readers skip. The library checks what there is
 * to check; a window larger than STOA_UNPACK_WINDOW_LOG_MAX is refused. The seek table of the
 * seekable format, where a file ends in one, says where its frames begin.
 *
 * Source   RFC 8878; zstd.h 1.5 on ZSTD_decompressStream */
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
#include <zstd_errors.h>

#include "vfs/seek_table.h"
#include "vfs/unpack.h"

struct zstd_unpacker {
    struct unpacker base;
    ZSTD_DCtx *context;
};

static stoa_status zstd_start(struct unpacker *unpacker, const void *saved, stoa_error *err) {
    struct zstd_unpacker *zstd = (struct zstd_unpacker *)unpacker;
    const struct unpack_io nowhere = {.in_offset = unpacker->frame_offset};
    STOA_ASSERT(saved == NULL);
    (void)saved;
    if (zstd->context == NULL) {
        zstd->context = ZSTD_createDCtx_advanced(
            (ZSTD_customMem){stoa_unpack_allocate, stoa_unpack_free, zstd});
    }
    if (zstd->context == NULL) {
        return stoa_unpack_fail(unpacker, &nowhere, STOA_NO_MEMORY, "no memory", err);
    }
    (void)ZSTD_DCtx_reset(zstd->context, ZSTD_reset_session_only);
    (void)ZSTD_DCtx_setParameter(zstd->context, ZSTD_d_windowLogMax, STOA_UNPACK_WINDOW_LOG_MAX);
    unpacker->between = true;
    return STOA_OK;
}

static stoa_status zstd_step(struct unpacker *unpacker, struct unpack_io *io, stoa_error *err) {
    struct zstd_unpacker *zstd = (struct zstd_unpacker *)unpacker;
    ZSTD_inBuffer in = {io->in, io->in_size, 0};
    ZSTD_outBuffer out = {io->out, io->out_size, 0};
    if (unpacker->between && io->in_size == 0) {
        return STOA_OK;
    }
    if (unpacker->between) {
        unpacker->frame_offset = io->in_offset;
    }
    unpacker->between = false;
    size_t code = ZSTD_decompressStream(zstd->context, &out, &in);
    stoa_unpack_took(io, in.pos);
    stoa_unpack_made(io, out.pos);
    if (ZSTD_isError(code)) {
        bool is_window = ZSTD_getErrorCode(code) == ZSTD_error_frameParameter_windowTooLarge;
        return stoa_unpack_fail(unpacker, io, is_window ? STOA_LIMIT : STOA_CORRUPT,
                                is_window ? "its window is larger than 128 MiB, the most that is "
                                            "unpacked"
                                          : ZSTD_getErrorName(code),
                                err);
    }
    if (code == 0) {
        stoa_unpack_frame_end(unpacker, io);
    }
    return STOA_OK;
}

static stoa_status zstd_load(struct unpacker *unpacker, const stoa_context *context,
                             stoa_file *packed, uint64_t packed_size, struct unpack_index *out,
                             uint64_t *out_size, stoa_error *err) {
    stoa_buffer entries;
    uint64_t table_bytes = 0;
    bool has_checksums = false;
    struct unpack_point point = {0};
    stoa_status status = STOA_OK;
    (void)unpacker;
    stoa_buffer_init(&entries, context->pool);
    STOA_CHECK(
        stoa_seek_table_read(packed, packed_size, &entries, &table_bytes, &has_checksums, err));
    for (size_t i = 0; i * sizeof(struct seek_entry) < entries.size; i++) {
        const struct seek_entry *entry = (const struct seek_entry *)entries.data + i;
        point.has_checksum = has_checksums;
        point.checksum = entry->checksum;
        STOA_CHECK(stoa_unpack_index_load(out, point, err));
        point.packed += entry->packed_bytes;
        point.plain += entry->plain_bytes;
    }
    *out_size = point.plain;

done:
    stoa_buffer_release(&entries);
    return status;
}

static void zstd_close(struct unpacker *unpacker) {
    (void)ZSTD_freeDCtx(((struct zstd_unpacker *)unpacker)->context);
}

const struct unpacker_kind stoa_unpack_zstd = {
    .frame = "zstd frame",
    .state_bytes = sizeof(struct zstd_unpacker),
    .start = zstd_start,
    .step = zstd_step,
    .close = zstd_close,
    .load = zstd_load,
};
