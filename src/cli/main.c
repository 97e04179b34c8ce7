/* The command's entry: finds the verb, reads its words, runs it. */
#include <locale.h>
#include <signal.h>
#include <string.h>

#include "cli.h"

static int unknown_verb(const char *word) {
    const char *names[64];
    int count = stoa_cli_verb_count < 64 ? stoa_cli_verb_count : 64;
    for (int i = 0; i < count; i++) {
        names[i] = stoa_cli_verbs[i].name;
    }
    const char *nearest = stoa_cli_nearest(word, names, count);
    return nearest == NULL ? stoa_cli_usage(NULL, "unknown verb '%s'", word)
                           : stoa_cli_usage(NULL, "unknown verb '%s': did you mean '%s'?", word,
                                            nearest);
}

static bool asks_for_help(const char *word) {
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int main(int count, char **words) {
    (void)signal(SIGPIPE, SIG_IGN); /* a reader that goes away ends the work in order */
    (void)setlocale(LC_ALL, "");
    (void)setlocale(LC_NUMERIC, "C"); /* numbers are data: a point stays a point */
    if (count < 2) {
        stoa_cli_help(stderr);
        return STOA_EXIT_USAGE;
    }
    if (asks_for_help(words[1]) || strcmp(words[1], "help") == 0) {
        const stoa_cli_verb *verb = count > 2 ? stoa_cli_verb_find(words[2]) : NULL;
        if (count > 2 && verb == NULL) {
            return unknown_verb(words[2]);
        }
        if (verb != NULL) {
            stoa_cli_help_verb(stdout, verb);
        } else {
            stoa_cli_help(stdout);
        }
        return STOA_EXIT_OK;
    }
    if (strcmp(words[1], "--version") == 0 || strcmp(words[1], "-V") == 0) {
        (void)printf("stoa %s\n", stoa_version());
        return STOA_EXIT_OK;
    }
    const stoa_cli_verb *verb = stoa_cli_verb_find(words[1]);
    if (verb == NULL) {
        return unknown_verb(words[1]);
    }
    for (int i = 2; i < count && strcmp(words[i], "--") != 0; i++) {
        if (asks_for_help(words[i])) {
            stoa_cli_help_verb(stdout, verb);
            return STOA_EXIT_OK;
        }
    }
    stoa_error err = STOA_ERROR_NONE;
    stoa_cli_arguments *arguments = stoa_cli_allocate(sizeof *arguments);
    if (stoa_cli_arguments_parse(verb, count - 2, words + 2, arguments, &err) != STOA_OK) {
        stoa_cli_free(arguments);
        return stoa_cli_usage(verb->name, "%s", err.message);
    }
    int code = verb->run(arguments);
    stoa_cli_free(arguments);
    if (fflush(stdout) != 0 && code == STOA_EXIT_OK) {
        if (stoa_cli_reader_is_gone()) {
            return STOA_EXIT_PIPE;
        }
        (void)fprintf(stderr, "stoa: %s: cannot write to standard output: %m\n", verb->name);
        code = STOA_EXIT_IO;
    }
    return code;
}
