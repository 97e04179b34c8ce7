/* Buffers and arenas: growth, zeros, alignment, text, and that they give everything back. */
#include "support.h"

#include <string.h>

#include "mem/arena.h"
#include "mem/buffer.h"

static stoa_error err;

static void buffers_grow_by_doubling(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_buffer buffer;
    size_t moves = 0, capacity = 0;
    stoa_buffer_init(&buffer, pool);
    for (uint32_t i = 0; i < 10000; i++) {
        assert_ok(stoa_buffer_append(&buffer, &i, sizeof i, &err), err);
        moves += buffer.capacity != capacity;
        capacity = buffer.capacity;
        assert_int_equal((uintptr_t)buffer.data % STOA_ALIGNMENT_BYTES, 0);
    }
    assert_in_range(moves, 5, 12);
    assert_int_equal(buffer.size, 40000);
    for (uint32_t i = 0; i < 10000; i++) {
        assert_memory_equal(buffer.data + i * 4, &i, 4);
    }
    stoa_buffer_release(&buffer);
    assert_null(buffer.data);
    stoa_buffer_release(&buffer);
    support_pool_close(pool);
}

static void exact_room_is_exact(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_buffer buffer = {.pool = pool};
    assert_ok(stoa_buffer_reserve_exact(&buffer, 0, &err), err);
    assert_null(buffer.data);
    assert_ok(stoa_buffer_reserve_exact(&buffer, 1000, &err), err);
    assert_int_equal(buffer.capacity, 1024);
    const uint8_t *before = buffer.data;
    assert_ok(stoa_buffer_append_fill(&buffer, 7, 1000, &err), err);
    assert_ptr_equal(buffer.data, before);
    assert_fails(stoa_buffer_reserve_exact(&buffer, SIZE_MAX - 1000, &err), STOA_LIMIT, NULL, err);
    assert_fails(stoa_buffer_reserve(&buffer, SIZE_MAX, &err), STOA_LIMIT, "1000 +", err);
    assert_int_equal(buffer.data[999], 7);
    stoa_buffer_release(&buffer);
    support_pool_close(pool);
}

static void new_bytes_of_a_resize_are_zero(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_buffer buffer = {.pool = pool};
    assert_ok(stoa_buffer_append_fill(&buffer, 0xFF, 100, &err), err);
    assert_ok(stoa_buffer_resize(&buffer, 10, &err), err);
    assert_ok(stoa_buffer_resize(&buffer, 100, &err), err);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(buffer.data[i], i < 10 ? 0xFF : 0);
    }
    stoa_buffer_clear(&buffer);
    assert_int_equal(buffer.size, 0);
    stoa_buffer_release(&buffer);
    support_pool_close(pool);
}

static void texts_are_appended_and_ended(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_buffer buffer = {.pool = pool};
    const char *text = NULL;
    assert_ok(stoa_buffer_text(&buffer, &text, &err), err);
    assert_string_equal(text, "");
    for (int i = 0; i < 100; i++) {
        assert_ok(stoa_buffer_append_format(&buffer, &err, "%d,", i), err);
    }
    assert_ok(stoa_buffer_append_text(&buffer, "end", &err), err);
    assert_ok(stoa_buffer_append_byte(&buffer, '!', &err), err);
    assert_ok(stoa_buffer_append_format(&buffer, &err, "%s", ""), err);
    assert_ok(stoa_buffer_text(&buffer, &text, &err), err);
    assert_int_equal(strlen(text), 290 + 4);
    assert_int_equal(buffer.size, 290 + 4);
    assert_non_null(strstr(text, "98,99,end!"));
    stoa_buffer_release(&buffer);
    support_pool_close(pool);
}

static void moving_leaves_an_empty_buffer_behind(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_buffer source = {.pool = pool};
    assert_ok(stoa_buffer_append_text(&source, "text", &err), err);
    stoa_buffer target = stoa_buffer_move(&source);
    assert_int_equal(source.size, 0);
    assert_null(source.data);
    assert_ok(stoa_buffer_append_text(&source, "more", &err), err);
    assert_memory_equal(target.data, "text", 4);
    stoa_buffer_release(&source);
    stoa_buffer_release(&target);
    support_pool_close(pool);
}

static void arenas_hand_out_zeroed_aligned_pieces(void **state) {
    (void)state;
    support_random random = support_random_open(__func__);
    stoa_pool *pool = support_pool_open();
    stoa_arena arena;
    struct {
        uint8_t *bytes;
        size_t size;
    } pieces[2000];
    stoa_arena_init(&arena, pool);
    for (size_t i = 0; i < 2000; i++) {
        void *memory = NULL;
        size_t size = (size_t)(support_random_u64(&random) >>
                               (64 - support_random_below(&random, 17) - 1));
        assert_ok(stoa_arena_allocate(&arena, size, &memory, &err), err);
        assert_int_equal((uintptr_t)memory % 16, 0);
        pieces[i].bytes = memory;
        pieces[i].size = size;
        for (size_t j = 0; j < size; j++) {
            assert_int_equal(pieces[i].bytes[j], 0);
        }
        memset(memory, (int)(i & 0xFF), size);
    }
    /* None lies in another. */
    for (size_t i = 0; i < 2000; i++) {
        for (size_t j = 0; j < pieces[i].size; j++) {
            assert_int_equal(pieces[i].bytes[j], i & 0xFF);
        }
    }
    stoa_arena_release(&arena);
    stoa_arena_release(&arena);
    support_pool_close(pool);
}

static void arenas_waste_little(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_arena arena;
    void *memory = NULL;
    size_t asked = 0;
    stoa_arena_init(&arena, pool);
    for (int i = 0; i < 3000; i++) {
        size_t size = i % 10 == 0 ? 300000 : 96;
        assert_ok(stoa_arena_allocate(&arena, size, &memory, &err), err);
        asked += size;
    }
    assert_true(stoa_pool_used(pool) < asked + asked / 50 + (1 << 20));
    stoa_arena_release(&arena);
    support_pool_close(pool);
}

static void arenas_refuse_what_memory_cannot_hold(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_arena arena;
    void *memory = &arena;
    const char *text = NULL;
    stoa_arena_init(&arena, pool);
    assert_fails(stoa_arena_allocate(&arena, SIZE_MAX, &memory, &err), STOA_LIMIT, NULL, err);
    assert_null(memory);
    assert_fails(stoa_arena_allocate_array(&arena, SIZE_MAX / 4, 8, &memory, &err), STOA_LIMIT,
                 NULL, err);
    assert_ok(stoa_arena_allocate(&arena, 0, &memory, &err), err);
    assert_non_null(memory);
    assert_ok(stoa_arena_copy_text(&arena, "abcdef", 3, &text, &err), err);
    assert_string_equal(text, "abc");
    assert_ok(stoa_arena_copy_text(&arena, NULL, 0, &text, &err), err);
    assert_string_equal(text, "");
    stoa_arena_release(&arena);
    support_pool_close(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_grow_by_doubling),
        cmocka_unit_test(exact_room_is_exact),
        cmocka_unit_test(new_bytes_of_a_resize_are_zero),
        cmocka_unit_test(texts_are_appended_and_ended),
        cmocka_unit_test(moving_leaves_an_empty_buffer_behind),
        cmocka_unit_test(arenas_hand_out_zeroed_aligned_pieces),
        cmocka_unit_test(arenas_waste_little),
        cmocka_unit_test(arenas_refuse_what_memory_cannot_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
