/* A cursor goes through a compressed file: it fetches packed bytes, has them unpacked, keeps the piece
 * that was unpacked last for small reads, and tells the index of places to begin with. */
#include <string.h>

#include "base/error.h"
#include "vfs/compressed_file.h"

enum {
    INPUT_BYTES_FIRST = 64 << 10,
    INPUT_BYTES_MAX = 1 << 20, /* of one read; a block of a format may need more */
    OUTPUT_BYTES = 256 << 10,  /* the piece that small reads are served from */
    DIRECT_BYTES_MAX = 1 << 20 /* unpacked between two looks at the token */
};

/* The first bytes of the packed file were read to recognise it; a pipe gives them once. */
stoa_status stoa_packed_read(struct compressed_file *file, uint64_t offset, uint8_t *buffer,
                             size_t size, size_t *out_size, stoa_error *err) {
    *out_size = 0;
    if (offset < file->head_size) {
        size_t left = file->head_size - (size_t)offset;
        *out_size = size < left ? size : left;
        memcpy(buffer, file->head + offset, *out_size);
        return STOA_OK;
    }
    return file->packed->operations->read_at(file->packed->state, offset, buffer, size, out_size,
                                             err);
}

stoa_status stoa_cursor_create(struct compressed_file *file, struct stoa_cursor **out,
                               stoa_error *err) {
    void *memory = NULL;
    stoa_status status = STOA_OK;
    *out = NULL;
    STOA_TRY(
        stoa_pool_allocate_array(file->context.pool, 1, sizeof(struct stoa_cursor), &memory, err));
    struct stoa_cursor *cursor = memory;
    stoa_buffer_init(&cursor->input, file->context.pool);
    stoa_buffer_init(&cursor->output, file->context.pool);
    cursor->is_broken = true;
    STOA_CHECK(stoa_buffer_reserve_exact(&cursor->output, OUTPUT_BYTES, err));
    STOA_CHECK(stoa_unpacker_create(file->context.pool, file->packing, &cursor->unpacker, err));
    *out = cursor;
    cursor = NULL;

done:
    stoa_cursor_close(file, cursor);
    return status;
}

void stoa_cursor_close(struct compressed_file *file, struct stoa_cursor *cursor) {
    if (cursor == NULL) {
        return;
    }
    stoa_unpacker_close(cursor->unpacker);
    stoa_buffer_release(&cursor->input);
    stoa_buffer_release(&cursor->output);
    stoa_pool_free(file->context.pool, cursor, sizeof *cursor);
}

static size_t input_left(const struct stoa_cursor *cursor) {
    return cursor->input.size - cursor->input_taken;
}

/* A frame begins at the point. */
static void expect_checksum(struct stoa_cursor *cursor, const struct unpack_point *point) {
    cursor->has_checksum = point->has_checksum;
    cursor->checksum_wanted = point->checksum;
    cursor->frame_plain = point->plain;
    if (cursor->has_checksum) {
        (void)XXH64_reset(&cursor->checksum, 0);
    }
}

/* Packed bytes that were fetched already and lie behind the point are not fetched again. */
stoa_status stoa_cursor_start(struct stoa_cursor *cursor, const struct unpack_point *point,
                              stoa_error *err) {
    bool is_fetched = !cursor->is_broken && point->packed >= cursor->packed &&
                      point->packed - cursor->packed <= input_left(cursor);
    cursor->is_broken = true;
    cursor->unpacker->frame_offset = point->packed;
    cursor->unpacker->frame_count = point->packed > 0 ? 1 : 0;
    STOA_TRY(cursor->unpacker->kind->start(cursor->unpacker, point->saved, err));
    if (is_fetched) {
        cursor->input_taken += (size_t)(point->packed - cursor->packed);
    } else {
        cursor->input_taken = 0;
        cursor->input_ended = false;
        cursor->input_step = INPUT_BYTES_FIRST;
        stoa_buffer_clear(&cursor->input);
    }
    cursor->plain = point->plain;
    cursor->packed = point->packed;
    cursor->need = 0;
    cursor->next_point = 0;
    cursor->has_ended = false;
    expect_checksum(cursor, point);
    stoa_error_clear(&cursor->damage);
    stoa_buffer_clear(&cursor->output);
    cursor->is_broken = false;
    return STOA_OK;
}

/* Makes at least `need` (or any) packed bytes stand in the input, unless the file ends before. Each
 * read asks for twice as much as the one before, so that a look at a few bytes stays a small
 * request and a long way through the file becomes few large ones. */
static stoa_status cursor_fetch(struct compressed_file *file, struct stoa_cursor *cursor,
                                stoa_error *err) {
    stoa_buffer *input = &cursor->input;
    size_t left = input_left(cursor);
    size_t need = cursor->need > 1 ? cursor->need : 1;
    if (left > 0 && cursor->input_taken > 0) {
        memmove(input->data, input->data + cursor->input_taken, left);
    }
    input->size = left;
    cursor->input_taken = 0;
    while (input->size < need && !cursor->input_ended) {
        size_t wanted = need > cursor->input_step ? need : cursor->input_step;
        size_t got = 0;
        if (input->capacity < wanted) {
            STOA_TRY(stoa_buffer_reserve_exact(input, wanted - input->size, err));
        }
        STOA_TRY(stoa_packed_read(file, cursor->packed + input->size, input->data + input->size,
                                  input->capacity - input->size, &got, err));
        input->size += got;
        cursor->input_ended = got == 0;
        cursor->input_step = cursor->input_step < INPUT_BYTES_MAX ? cursor->input_step * 2
                                                                  : (size_t)INPUT_BYTES_MAX;
    }
    return STOA_OK;
}

/* Tells the index of the place where the cursor stands. The state is made before the lock is taken;
 * without memory for it the index goes without the point. */
static void add_point(struct compressed_file *file, struct stoa_cursor *cursor,
                      enum unpack_stop stop) {
    struct unpack_point point = {.plain = cursor->plain, .packed = cursor->packed};
    bool with_state = stop == UNPACK_POINT;
    (void)pthread_mutex_lock(&file->lock);
    bool is_wanted = !file->has_table &&
                     stoa_unpack_index_wants(&file->index, point.plain, with_state);
    cursor->next_point = file->has_table ? UINT64_MAX : stoa_unpack_index_next(&file->index);
    (void)pthread_mutex_unlock(&file->lock);
    if (!is_wanted ||
        (with_state && cursor->unpacker->kind->save(cursor->unpacker, &point.saved,
                                                    &point.saved_bytes, NULL) != STOA_OK)) {
        return;
    }
    (void)pthread_mutex_lock(&file->lock);
    stoa_unpack_index_add(&file->index, point);
    cursor->next_point = stoa_unpack_index_next(&file->index);
    (void)pthread_mutex_unlock(&file->lock);
}

/* A frame without bytes says nothing: its point is the next one's. */
static bool fits_checksum(const struct stoa_cursor *cursor) {
    return !cursor->has_checksum || cursor->plain == cursor->frame_plain ||
           (uint32_t)XXH64_digest(&cursor->checksum) == cursor->checksum_wanted;
}

/* A frame has ended: if the file has a table, then where that says, and with the bytes that it tells
 * the checksum of. */
static stoa_status check_table(struct compressed_file *file, struct stoa_cursor *cursor,
                               stoa_error *err) {
    (void)pthread_mutex_lock(&file->lock);
    struct unpack_point point = stoa_unpack_index_find(&file->index, cursor->plain);
    bool is_wrong = file->has_table &&
                    ((point.plain != cursor->plain && cursor->plain != file->size) ||
                     (point.plain == cursor->plain && point.saved == NULL &&
                      point.packed > cursor->packed));
    (void)pthread_mutex_unlock(&file->lock);
    if (is_wrong) {
        return stoa_fail(err, STOA_CORRUPT,
                         "the %s before packed byte %" PRIu64 " ends at byte %" PRIu64
                         ", and not where the file's table says",
                         cursor->unpacker->kind->frame, cursor->packed, cursor->plain);
    }
    if (!fits_checksum(cursor)) {
        return stoa_fail(err, STOA_CORRUPT,
                         "the %s before packed byte %" PRIu64
                         " has other bytes than those of the checksum in the file's table",
                         cursor->unpacker->kind->frame, cursor->packed);
    }
    if (point.plain == cursor->plain) {
        expect_checksum(cursor, &point);
    } else {
        cursor->has_checksum = false;
    }
    return STOA_OK;
}

/* On to the point that stands at the cursor's byte, or to the end. */
static stoa_status cursor_move(struct compressed_file *file, struct stoa_cursor *cursor,
                               stoa_error *err) {
    stoa_status status = STOA_OK;
    (void)pthread_mutex_lock(&file->lock);
    struct unpack_point point = stoa_unpack_index_find(&file->index, cursor->plain);
    cursor->has_ended = cursor->plain == file->size;
    if (!cursor->has_ended) {
        status = point.plain == cursor->plain
                     ? stoa_cursor_start(cursor, &point, err)
                     : stoa_fail(err, STOA_CORRUPT, "the file's table has a gap at byte %" PRIu64,
                                 cursor->plain);
    }
    (void)pthread_mutex_unlock(&file->lock);
    return status;
}

static stoa_status fail_cut_off(const struct stoa_cursor *cursor, stoa_error *err) {
    return stoa_fail(err, STOA_CORRUPT,
                     "%s at packed byte %" PRIu64 ": it is cut off: the file ends at byte %" PRIu64,
                     cursor->unpacker->kind->frame, cursor->unpacker->frame_offset,
                     cursor->packed + input_left(cursor));
}

/* One step of the decoder into `out`. `*out_moved` says whether anything changed. */
static stoa_status cursor_step(struct compressed_file *file, struct stoa_cursor *cursor,
                               uint8_t *out, size_t size, size_t *out_made, bool *out_moved,
                               stoa_error *err) {
    struct unpack_io io = {
        .in = cursor->input.data + cursor->input_taken,
        .in_size = input_left(cursor),
        .in_offset = cursor->packed,
        .out = out,
        .out_size = size,
        .wants_point = cursor->unpacker->kind->save != NULL && cursor->plain >= cursor->next_point,
    };
    STOA_TRY(cursor->unpacker->kind->step(cursor->unpacker, &io, err));
    size_t taken = input_left(cursor) - io.in_size;
    *out_made = size - io.out_size;
    *out_moved = taken > 0 || *out_made > 0 || io.stop != UNPACK_GOES_ON;
    cursor->input_taken += taken;
    cursor->packed += taken;
    cursor->plain += *out_made;
    cursor->need = io.need;
    if (cursor->has_checksum) {
        (void)XXH64_update(&cursor->checksum, out, *out_made);
    }
    if (io.stop == UNPACK_MOVE) {
        return cursor_move(file, cursor, err);
    }
    if (io.stop == UNPACK_FRAME) {
        STOA_TRY(check_table(file, cursor, err));
    }
    if (io.stop != UNPACK_GOES_ON) {
        add_point(file, cursor, io.stop);
    }
    return STOA_OK;
}

/* A step, and more packed bytes where it needs them; sees the end of the file. */
static stoa_status cursor_advance(struct compressed_file *file, struct stoa_cursor *cursor,
                                  uint8_t *out, size_t size, size_t *out_made, stoa_error *err) {
    bool moved = false;
    STOA_TRY(cursor_step(file, cursor, out, size, out_made, &moved, err));
    if (moved) {
        return STOA_OK;
    }
    if (!cursor->input_ended) {
        size_t before = input_left(cursor);
        cursor->need = cursor->need > before ? cursor->need : before + 1;
        return cursor_fetch(file, cursor, err);
    }
    if (!cursor->unpacker->between || input_left(cursor) > 0) {
        return fail_cut_off(cursor, err);
    }
    cursor->has_ended = true;
    (void)pthread_mutex_lock(&file->lock);
    bool is_short = file->has_table && file->size != cursor->plain;
    file->has_size = true;
    file->size = is_short ? file->size : cursor->plain;
    (void)pthread_mutex_unlock(&file->lock);
    return is_short ? stoa_fail(err, STOA_CORRUPT,
                                "the file ends at byte %" PRIu64 ", and not where its table says",
                                cursor->plain)
                    : STOA_OK;
}

/* Behind the last byte that a table promises the frame has still to end, with its checksum: nobody
 * reads on to see it. */
static stoa_status check_end(struct compressed_file *file, struct stoa_cursor *cursor,
                             stoa_error *err) {
    uint8_t spare;
    size_t made = 0;
    (void)pthread_mutex_lock(&file->lock);
    bool is_end = file->has_table && cursor->plain == file->size;
    (void)pthread_mutex_unlock(&file->lock);
    while (is_end && made == 0 && !cursor->has_ended && !cursor->unpacker->between) {
        STOA_TRY(cursor_advance(file, cursor, &spare, sizeof spare, &made, err));
    }
    return made == 0 ? STOA_OK
                     : stoa_fail(err, STOA_CORRUPT,
                                 "%s at packed byte %" PRIu64
                                 ": it goes on where the file's table says that it ends",
                                 cursor->unpacker->kind->frame, cursor->unpacker->frame_offset);
}

/* Where the room ends, the frame may end too, and its checksum is still to be looked at: a reader that
 * knows how much it wants does not come back for it. */
static stoa_status check_frame(struct compressed_file *file, struct stoa_cursor *cursor,
                               stoa_error *err) {
    uint8_t none;
    size_t made = 0;
    bool moved = true;
    while (moved && !cursor->has_ended && !cursor->unpacker->between) {
        if (input_left(cursor) == 0 && !cursor->input_ended) {
            STOA_TRY(cursor_fetch(file, cursor, err));
        }
        STOA_TRY(cursor_step(file, cursor, &none, 0, &made, &moved, err));
    }
    return STOA_OK;
}

/* Up to `size` bytes. `*out_whole` is where the last frame ended that was unpacked to its end. */
static stoa_status cursor_unpack_some(struct compressed_file *file, struct stoa_cursor *cursor,
                                      uint8_t *out, size_t size, size_t *out_made,
                                      size_t *out_whole, stoa_error *err) {
    *out_made = 0;
    *out_whole = 0;
    while (*out_made < size && !cursor->has_ended) {
        size_t made = 0;
        STOA_TRY(cursor_advance(file, cursor, out + *out_made, size - *out_made, &made, err));
        *out_made += made;
        *out_whole = cursor->unpacker->between ? *out_made : *out_whole;
    }
    STOA_TRY(check_frame(file, cursor, err));
    return check_end(file, cursor, err);
}

/* Unpacks up to `size` bytes, at least one unless the file ends. What stands in whole frames before a
 * wrong one is still given; the next call says what is wrong. */
static stoa_status cursor_unpack(struct compressed_file *file, struct stoa_cursor *cursor,
                                 uint8_t *out, size_t size, size_t *out_made, stoa_error *err) {
    uint64_t start = cursor->plain;
    size_t made = 0;
    size_t whole = 0;
    stoa_status status = cursor->damage.status;
    if (status == STOA_OK) {
        status = cursor_unpack_some(file, cursor, out, size, &made, &whole, &cursor->damage);
    }
    if (status == STOA_CORRUPT && whole > 0) {
        made = whole;
        cursor->plain = start + whole;
        status = STOA_OK;
    }
    if (status != STOA_OK && err != NULL) {
        *err = cursor->damage;
    }
    *out_made = status == STOA_OK ? made : 0;
    return status;
}

/* The piece that was unpacked last ends where the cursor stands. */
bool stoa_cursor_holds(const struct stoa_cursor *cursor, uint64_t offset) {
    return !cursor->is_broken && offset < cursor->plain &&
           cursor->plain - offset <= cursor->output.size;
}

static stoa_status cursor_unpack_piece(struct compressed_file *file, struct stoa_cursor *cursor,
                                       stoa_error *err) {
    stoa_buffer *output = &cursor->output;
    stoa_buffer_clear(output);
    return cursor_unpack(file, cursor, output->data, output->capacity, &output->size, err);
}

stoa_status stoa_cursor_read(struct compressed_file *file, struct stoa_cursor *cursor,
                             uint64_t offset, uint8_t *buffer, size_t size, size_t *out_size,
                             stoa_error *err) {
    *out_size = 0;
    while (!stoa_cursor_holds(cursor, offset)) {
        STOA_TRY(stoa_cancel_check(file->context.cancel, err));
        if (cursor->plain == offset && size >= OUTPUT_BYTES) {
            stoa_buffer_clear(&cursor->output);
            return cursor_unpack(file, cursor, buffer,
                                 size < DIRECT_BYTES_MAX ? size : (size_t)DIRECT_BYTES_MAX,
                                 out_size, err);
        }
        STOA_TRY(cursor_unpack_piece(file, cursor, err));
        if (cursor->output.size == 0) {
            return STOA_OK;
        }
    }
    size_t left = (size_t)(cursor->plain - offset);
    *out_size = size < left ? size : left;
    memcpy(buffer, cursor->output.data + (cursor->output.size - left), *out_size);
    return STOA_OK;
}
