/* The reader of compressed files, as compressed_file.c and its cursors share it. */
#ifndef STOA_VFS_COMPRESSED_FILE_H
#define STOA_VFS_COMPRESSED_FILE_H

#define XXH_STATIC_LINKING_ONLY /* the size of its state */
#include <pthread.h>
#include <xxhash.h>

#include "mem/buffer.h"
#include "vfs/compressed.h"
#include "vfs/unpack.h"
#include "vfs/unpack_index.h"

enum { STOA_CURSORS_MAX = 4 };

struct stoa_cursor;

struct compressed_file {
    pthread_mutex_t lock;
    pthread_cond_t idle; /* a cursor is free again, or the table was read */
    stoa_context context;
    stoa_file *packed;
    stoa_packing packing;
    uint8_t head[STOA_PACKING_HEAD_BYTES];
    size_t head_size;

    /* Guarded by `lock`. */
    struct unpack_index index;
    struct stoa_cursor *cursors[STOA_CURSORS_MAX];
    size_t cursor_count;
    size_t cursor_limit; /* 1 for a pipe */
    uint64_t uses;
    enum { TABLE_UNKNOWN, TABLE_IS_READ, TABLE_KNOWN } table;
    bool has_table; /* the index came with the file, and so did `size` */
    bool has_size;
    uint64_t size; /* of the plain bytes */
};

/* A decoder with a place. While it is busy it belongs to one thread; what it is looked for by
 * (place, piece, flags) is read and changed by others only while it is not. */
struct stoa_cursor {
    struct unpacker *unpacker;
    stoa_buffer input;
    size_t input_taken;
    size_t input_step; /* bytes that the next read asks for */
    size_t need;       /* bytes that the decoder must see at once; 0: any */
    bool input_ended;
    bool has_ended; /* it stands at the end of the file */
    bool is_busy;
    bool is_broken;  /* has to be started at a point */
    uint64_t plain;  /* the byte that is unpacked next */
    uint64_t packed; /* the packed byte that is looked at next */
    uint64_t next_point;
    bool has_checksum; /* a table has one of the frame that began at `frame_plain` */
    uint32_t checksum_wanted;
    uint64_t frame_plain;
    XXH64_state_t checksum; /* of the frame so far; when has_checksum */
    uint64_t last_use;
    stoa_buffer output; /* the piece that ends at `plain` */
    stoa_error damage;  /* what is wrong behind `plain`, for who reads on */
};

STOA_MUST_USE stoa_status stoa_cursor_create(struct compressed_file *file, struct stoa_cursor **out,
                                             stoa_error *err);
void stoa_cursor_close(struct compressed_file *file, struct stoa_cursor *cursor);
/// Moves the cursor to a point. With the file's lock held: the point's state is the index's.
STOA_MUST_USE stoa_status stoa_cursor_start(struct stoa_cursor *cursor,
                                            const struct unpack_point *point, stoa_error *err);
/// Whether the piece that was unpacked last has this byte.
bool stoa_cursor_holds(const struct stoa_cursor *cursor, uint64_t offset);
/// Reads at `offset`, which the cursor holds or stands before; 0 bytes at the end.
STOA_MUST_USE stoa_status stoa_cursor_read(struct compressed_file *file, struct stoa_cursor *cursor,
                                           uint64_t offset, uint8_t *buffer, size_t size,
                                           size_t *out_size, stoa_error *err);
/// Reads of the packed file; short reads happen.
STOA_MUST_USE stoa_status stoa_packed_read(struct compressed_file *file, uint64_t offset,
                                           uint8_t *buffer, size_t size, size_t *out_size,
                                           stoa_error *err);

#endif
