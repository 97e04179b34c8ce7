/* Direct writes: bytes are gathered in a few aligned pieces, and each full piece goes to the disk
 * past the page cache, several under way at a time through io_uring. Where that is forbidden or
 * missing (seccomp, old kernels, no descriptors left) pieces are written one by one, direct still.
 *
 * Against writing through the page cache, with the disk begun early, this saves most of the
 * processor's time and leaves what others have in memory alone; it is about as fast (bench/vfs). The
 * price is that what was written is not in memory afterwards, so it is for the largest files.
 * Without huge pages it would be slower by a third: a disk takes so many pieces of memory a request.
 *
 * A write that fails under way is found when its piece is needed again, or at the end. Its bytes are
 * still there, so it is tried once more the ordinary way; where that fails too (the disk is full),
 * the caller's bytes are not taken, and those of earlier calls stay here until they can be written.
 * So nothing is lost that a call has accepted, as long as the handle is open. */
#include "vfs/local_direct.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vfs/local.h"

enum {
    PIECE_BYTES = 2 << 20, /* a huge page: one segment to the disk instead of hundreds */
    PIECE_COUNT = 4,
    ALIGNMENT_MIN = 4096, /* pages and blocks of common file systems, whatever the disk could do */
    ALIGNMENT_MAX = 1 << 16
};

enum piece_state {
    PIECE_FREE = 0,
    PIECE_FILLING,
    PIECE_UNDER_WAY,
    PIECE_FAILED /* its bytes are not, or not all, in the file */
};

struct piece {
    enum piece_state state;
    uint8_t *bytes;
    uint64_t at;
    size_t size;
};

struct stoa_direct {
    stoa_pool *pool;
    int descriptor;
    bool has_ring;
    bool is_stopped; /* the descriptor is an ordinary one; only failed pieces are left */
    struct io_uring ring;
    unsigned under_way;
    uint64_t position; /* where the next piece begins */
    struct piece *filling;
    struct piece pieces[PIECE_COUNT];
    void *memory;
    size_t memory_bytes;
};

size_t stoa_direct_alignment(int descriptor) {
    struct statx info = {0};
    if (statx(descriptor, "", AT_EMPTY_PATH, STATX_DIOALIGN, &info) != 0 ||
        (info.stx_mask & STATX_DIOALIGN) == 0 || info.stx_dio_offset_align == 0) {
        return 0;
    }
    size_t alignment = ALIGNMENT_MIN;
    while (alignment < ALIGNMENT_MAX && (alignment % info.stx_dio_offset_align != 0 ||
                                         alignment % info.stx_dio_mem_align != 0)) {
        alignment *= 2;
    }
    bool fits = alignment % info.stx_dio_offset_align == 0 &&
                alignment % info.stx_dio_mem_align == 0;
    return fits ? alignment : 0;
}

/* 0 or errno. */
static int set_direct(int descriptor, bool is_direct) {
    int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0) {
        return errno;
    }
    flags = is_direct ? flags | O_DIRECT : flags & ~O_DIRECT;
    return fcntl(descriptor, F_SETFL, flags) == 0 ? 0 : errno;
}

/* ---- Pieces under way ------------------------------------------------------------------------ */

static void piece_end(stoa_direct *direct, struct piece *piece, ssize_t written) {
    STOA_ASSERT(piece->state == PIECE_UNDER_WAY && direct->under_way > 0);
    direct->under_way--;
    piece->state = written == (ssize_t)piece->size ? PIECE_FREE : PIECE_FAILED;
}

/* Waits for one piece. */
static void wait_for_one(stoa_direct *direct) {
    struct io_uring_cqe *entry = NULL;
    int failure;
    do {
        failure = io_uring_wait_cqe(&direct->ring, &entry);
    } while (failure == -EINTR || failure == -EAGAIN);
    if (failure == 0) {
        piece_end(direct, io_uring_cqe_get_data(entry), entry->res);
        io_uring_cqe_seen(&direct->ring, entry);
        return;
    }
    /* A ring that does not answer: what it has is written again. */
    for (size_t i = 0; i < PIECE_COUNT; i++) {
        if (direct->pieces[i].state == PIECE_UNDER_WAY) {
            piece_end(direct, &direct->pieces[i], -1);
        }
    }
}

/* Takes note of what has ended, without waiting and without asking the system. */
static void note_ended(stoa_direct *direct) {
    struct io_uring_cqe *entry = NULL;
    while (direct->under_way > 0 && io_uring_peek_cqe(&direct->ring, &entry) == 0) {
        piece_end(direct, io_uring_cqe_get_data(entry), entry->res);
        io_uring_cqe_seen(&direct->ring, entry);
    }
}

static void wait_for_all(stoa_direct *direct) {
    while (direct->under_way > 0) {
        wait_for_one(direct);
    }
}

static void piece_write_now(stoa_direct *direct, struct piece *piece) {
    ssize_t put;
    do {
        put = pwrite(direct->descriptor, piece->bytes, piece->size, (off_t)piece->at);
    } while (put < 0 && errno == EINTR);
    piece_end(direct, piece, put);
}

static void piece_start(stoa_direct *direct, struct piece *piece) {
    piece->state = PIECE_UNDER_WAY;
    direct->under_way++;
    if (!direct->has_ring) {
        piece_write_now(direct, piece);
        return;
    }
    struct io_uring_sqe *entry = io_uring_get_sqe(&direct->ring);
    STOA_ASSERT(entry != NULL);
    io_uring_prep_write(entry, direct->descriptor, piece->bytes, (unsigned)piece->size, piece->at);
    io_uring_sqe_set_data(entry, piece);
    int count;
    do {
        count = io_uring_submit(&direct->ring);
    } while (count == -EINTR);
    if (count != 1) {
        piece_end(direct, piece, -1);
    }
}

static struct piece *find_piece(stoa_direct *direct, enum piece_state state) {
    for (size_t i = 0; i < PIECE_COUNT; i++) {
        if (direct->pieces[i].state == state) {
            return &direct->pieces[i];
        }
    }
    return NULL;
}

/* ---- Ends ------------------------------------------------------------------------------------ */

/* Writes in the ordinary way what is not in the file. */
static stoa_status write_the_rest(stoa_direct *direct, stoa_error *err) {
    for (size_t i = 0; i < PIECE_COUNT; i++) {
        struct piece *piece = &direct->pieces[i];
        STOA_ASSERT(piece->state != PIECE_UNDER_WAY);
        if (piece->state != PIECE_FREE) {
            STOA_TRY(stoa_descriptor_write_at(direct->descriptor, piece->bytes, piece->size,
                                              piece->at, err));
            piece->state = PIECE_FREE;
        }
    }
    direct->filling = NULL;
    return STOA_OK;
}

stoa_status stoa_direct_finish(stoa_direct *direct, stoa_error *err) {
    wait_for_all(direct);
    if (!direct->is_stopped) {
        int failure = set_direct(direct->descriptor, false);
        if (failure != 0) {
            return stoa_fail_system(err, failure);
        }
        direct->is_stopped = true;
    }
    return write_the_rest(direct, err);
}

/* Takes back what lies behind `start`: it belongs to a call that fails. */
static void take_back(stoa_direct *direct, uint64_t start) {
    for (size_t i = 0; i < PIECE_COUNT; i++) {
        struct piece *piece = &direct->pieces[i];
        if (piece->at >= start) {
            piece->state = PIECE_FREE;
        } else if (piece->state != PIECE_FREE && piece->size > start - piece->at) {
            piece->size = (size_t)(start - piece->at);
        }
    }
    direct->filling = NULL;
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* A piece to fill; NULL when one has failed. */
static struct piece *begin_piece(stoa_direct *direct) {
    while (find_piece(direct, PIECE_FREE) == NULL && direct->under_way > 0) {
        wait_for_one(direct);
    }
    note_ended(direct);
    if (find_piece(direct, PIECE_FAILED) != NULL) {
        return NULL;
    }
    struct piece *piece = find_piece(direct, PIECE_FREE);
    STOA_ASSERT(piece != NULL);
    piece->state = PIECE_FILLING;
    piece->at = direct->position;
    piece->size = 0;
    direct->position += PIECE_BYTES;
    return piece;
}

stoa_status stoa_direct_write(stoa_direct *direct, const void *bytes, size_t size, size_t *out_done,
                              stoa_error *err) {
    STOA_ASSERT(!direct->is_stopped);
    const uint64_t start = direct->filling == NULL ? direct->position
                                                   : direct->filling->at + direct->filling->size;
    size_t done = 0;
    *out_done = 0;
    note_ended(direct);
    bool has_failed = find_piece(direct, PIECE_FAILED) != NULL;
    while (done < size) {
        if (direct->filling == NULL && !has_failed) {
            direct->filling = begin_piece(direct);
            has_failed = direct->filling == NULL;
        }
        struct piece *piece = direct->filling;
        if (has_failed) {
            stoa_status status = stoa_direct_finish(direct, err);
            if (status != STOA_OK) {
                take_back(direct, start);
                return status;
            }
            break;
        }
        size_t part = size - done < PIECE_BYTES - piece->size ? size - done
                                                              : PIECE_BYTES - piece->size;
        memcpy(piece->bytes + piece->size, (const uint8_t *)bytes + done, part);
        piece->size += part;
        done += part;
        if (piece->size == PIECE_BYTES) {
            direct->filling = NULL;
            piece_start(direct, piece);
        }
    }
    *out_done = done;
    return STOA_OK;
}

/* ---- Life ------------------------------------------------------------------------------------ */

stoa_status stoa_direct_create(stoa_pool *pool, int descriptor, uint64_t at, size_t alignment,
                               stoa_direct **out, stoa_error *err) {
    STOA_ASSERT(at % alignment == 0 && PIECE_BYTES % alignment == 0);
    void *memory = NULL;
    stoa_status status = STOA_OK;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(stoa_direct), &memory, err));
    stoa_direct *direct = memory;
    direct->pool = pool;
    direct->descriptor = descriptor;
    direct->position = at;
    direct->memory_bytes = (size_t)(PIECE_COUNT + 1) * PIECE_BYTES;
    STOA_CHECK(stoa_pool_allocate(pool, direct->memory_bytes, &direct->memory, err));
    uint8_t *begin = direct->memory;
    begin += PIECE_BYTES - (uintptr_t)begin % PIECE_BYTES;
    /* A wish: without huge pages it is only slower. */
    (void)madvise(begin, (size_t)PIECE_COUNT * PIECE_BYTES, MADV_HUGEPAGE);
    for (size_t i = 0; i < PIECE_COUNT; i++) {
        direct->pieces[i].bytes = begin + i * PIECE_BYTES;
    }
    int failure = set_direct(descriptor, true);
    if (failure != 0) {
        status = stoa_fail(err, STOA_UNSUPPORTED, "its file system refuses direct writes");
        goto done;
    }
    direct->has_ring = io_uring_queue_init(PIECE_COUNT, &direct->ring, 0) == 0;
    *out = direct;

done:
    if (status != STOA_OK) {
        stoa_pool_free(pool, direct->memory, direct->memory_bytes);
        stoa_pool_free(pool, direct, sizeof *direct);
    }
    return status;
}

bool stoa_direct_has_ring(const stoa_direct *direct) {
    return direct->has_ring;
}

void stoa_direct_close(stoa_direct *direct) {
    if (direct == NULL) {
        return;
    }
    wait_for_all(direct);
    if (direct->has_ring) {
        io_uring_queue_exit(&direct->ring);
    }
    stoa_pool_free(direct->pool, direct->memory, direct->memory_bytes);
    stoa_pool_free(direct->pool, direct, sizeof *direct);
}
