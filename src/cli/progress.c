/* A progress bar on standard error:
 *
 *     loading flights  ████████████░░░░░░░░  58 %  1,740,000 rows  6.1 M/s  7.9 of 13.5 MB  1 s left
 *
 * Drawn at most ten times a second and only on a terminal; wiped when the work ends, so that what
 * stays on the screen is the result. */
#include <string.h>
#include <time.h>

#include "cli.h"

enum { BAR_COLUMNS = 20, LINE_BYTES = 512 };

struct stoa_cli_progress {
    const char *title;
    bool drawn;
    int64_t started_ns;
    int64_t last_ns;
};

static int64_t now_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

stoa_cli_progress *stoa_cli_progress_start(const char *title, bool wanted) {
    if (!wanted || !stoa_terminal_is(stderr)) {
        return NULL;
    }
    stoa_cli_progress *progress = stoa_cli_allocate(sizeof *progress);
    progress->title = title;
    progress->started_ns = now_ns();
    return progress;
}

static double fraction_done(const stoa_progress *state) {
    uint64_t done = state->bytes_total > 0 ? state->bytes_done : state->done;
    uint64_t total = state->bytes_total > 0 ? state->bytes_total : state->total;
    if (total == 0) {
        return -1;
    }
    return done >= total ? 1 : (double)done / (double)total;
}

static size_t append_bar(char *line, size_t length, double fraction) {
    bool unicode = stoa_terminal_unicode();
    int filled = (int)(fraction * BAR_COLUMNS);
    for (int i = 0; i < BAR_COLUMNS; i++) {
        const char *cell = i < filled ? (unicode ? "█" : "#") : (unicode ? "░" : ".");
        size_t size = strlen(cell);
        memcpy(line + length, cell, size);
        length += size;
    }
    line[length] = '\0';
    return length;
}

static void draw(stoa_cli_progress *progress, const stoa_progress *state, double seconds) {
    char line[LINE_BYTES];
    char text[32];
    char text2[32];
    double fraction = fraction_done(state);
    size_t length = (size_t)snprintf(line, 128, "%.40s  ", progress->title);
    if (fraction >= 0) {
        length = append_bar(line, length, fraction);
        length += (size_t)snprintf(line + length, 16, " %3.0f %%", fraction * 100);
    }
    if (strcmp(state->unit, "rows") == 0) {
        double rate = seconds > 0 ? (double)state->done / seconds : 0;
        length += (size_t)snprintf(line + length, 96, "  %s rows  %.1f M/s",
                                   stoa_count_text((int64_t)state->done, text), rate / 1e6);
    }
    if (state->bytes_total > 0) {
        length += (size_t)snprintf(line + length, 96, "  %s of %s",
                                   stoa_bytes_text(state->bytes_done, text),
                                   stoa_bytes_text(state->bytes_total, text2));
    }
    if (fraction > 0.02 && fraction < 1 && seconds > 0.5) {
        length += (size_t)snprintf(line + length, 64, "  %s left",
                                   stoa_seconds_text(seconds / fraction - seconds, text));
    }
    int width = stoa_terminal_width();
    size_t shown = stoa_text_prefix(line, length, width > 1 ? width - 1 : 79);
    (void)fprintf(stderr, "\r\033[K%.*s", (int)shown, line);
    (void)fflush(stderr);
    progress->drawn = true;
}

void stoa_cli_progress_update(void *user, const stoa_progress *state) {
    stoa_cli_progress *progress = user;
    int64_t now = now_ns();
    if (progress == NULL || now - progress->last_ns < 100000000) {
        return;
    }
    progress->last_ns = now;
    draw(progress, state, (double)(now - progress->started_ns) / 1e9);
}

void stoa_cli_progress_end(stoa_cli_progress *progress) {
    if (progress == NULL) {
        return;
    }
    if (progress->drawn) {
        (void)fputs("\r\033[K", stderr);
        (void)fflush(stderr);
    }
    stoa_cli_free(progress);
}
