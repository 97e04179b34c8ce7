/* Which compression a file has: by its first bytes, and by the ending of its name.
 *
 * Source   RFC 1952 2.3 (gzip); RFC 8878 3.1 (zstd); lz4_Frame_format.md 1.6; the .xz file format
 *          1.2 2.1.1; bzip2 has no specification: the header and block magic of its version 1.0.8 */
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "vfs/compressed.h"
#include "vfs/unpack.h"

const char *stoa_packing_name(stoa_packing packing) {
    static const char *const names[] = {"none", "gzip", "zstd", "lz4", "bzip2", "xz"};
    return names[packing];
}

/* Each of these says whether the bytes can begin such a file, as far as they go. */
static bool begins(const uint8_t *bytes, size_t size, const char *magic, size_t magic_size) {
    return size >= magic_size && memcmp(bytes, magic, magic_size) == 0;
}

static bool is_gzip(const uint8_t *bytes, size_t size) {
    return begins(bytes, size, "\x1F\x8B", 2) && (size < 3 || bytes[2] == 8) &&
           (size < 4 || (bytes[3] & 0xE0) == 0);
}

static bool is_zstd(const uint8_t *bytes, size_t size) {
    return begins(bytes, size, "\x28\xB5\x2F\xFD", 4) && (size < 5 || (bytes[4] & 8) == 0);
}

static bool is_lz4(const uint8_t *bytes, size_t size) {
    struct stoa_lz4_header header;
    size_t header_size = 0;
    return (size >= 4 && stoa_load_u32(bytes) == STOA_LZ4_LEGACY_MAGIC) ||
           (begins(bytes, size, "\x04\x22\x4D\x18", 4) &&
            stoa_lz4_header_parse(bytes, size, &header, &header_size) != STOA_LZ4_HEADER_WRONG);
}

static bool is_bzip2(const uint8_t *bytes, size_t size) {
    return begins(bytes, size, "BZh", 3) && size >= 10 && bytes[3] >= '1' && bytes[3] <= '9' &&
           (memcmp(bytes + 4, "\x31\x41\x59\x26\x53\x59", 6) == 0 ||
            memcmp(bytes + 4, "\x17\x72\x45\x38\x50\x90", 6) == 0);
}

/* Behind the frames that readers skip, which zstd and LZ4 have in common, comes one of them; a file
 * of nothing else is empty to both. */
static stoa_packing behind_skippable(const uint8_t *bytes, size_t size) {
    size_t position = 0;
    while (size - position >= 8 && (stoa_load_u32(bytes + position) & 0xFFFFFFF0) == 0x184D2A50) {
        size_t content = stoa_load_u32(bytes + position + 4);
        if (content > size - position - 8) {
            return STOA_PACKING_ZSTD;
        }
        position += 8 + content;
    }
    return position == 0                                                    ? STOA_PACKING_NONE
           : is_lz4(bytes + position, size - position)                      ? STOA_PACKING_LZ4
           : is_zstd(bytes + position, size - position) || position == size ? STOA_PACKING_ZSTD
                                                                            : STOA_PACKING_NONE;
}

stoa_packing stoa_packing_recognise(const void *head, size_t size) {
    const uint8_t *bytes = head;
    return is_gzip(bytes, size)    ? STOA_PACKING_GZIP
           : is_zstd(bytes, size)  ? STOA_PACKING_ZSTD
           : is_lz4(bytes, size)   ? STOA_PACKING_LZ4
           : is_bzip2(bytes, size) ? STOA_PACKING_BZIP2
           : begins(bytes, size,
                    "\xFD"
                    "7zXZ\0",
                    6)
               ? STOA_PACKING_XZ
               : behind_skippable(bytes, size);
}

stoa_packing stoa_packing_of_name(const char *name, size_t *out_stem_length) {
    static const struct {
        const char *ending;
        stoa_packing packing;
    } endings[] = {
        {".gz", STOA_PACKING_GZIP}, {".zst", STOA_PACKING_ZSTD},  {".zstd", STOA_PACKING_ZSTD},
        {".lz4", STOA_PACKING_LZ4}, {".bz2", STOA_PACKING_BZIP2}, {".xz", STOA_PACKING_XZ},
    };
    size_t length = strlen(name);
    size_t stem = length;
    stoa_packing packing = STOA_PACKING_NONE;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        size_t size = strlen(endings[i].ending);
        if (length > size && strcasecmp(name + length - size, endings[i].ending) == 0) {
            stem = length - size;
            packing = endings[i].packing;
        }
    }
    if (out_stem_length != NULL) {
        *out_stem_length = stem;
    }
    return packing;
}
