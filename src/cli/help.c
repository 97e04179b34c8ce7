/* Help, shell completion and the manual page, all printed from the table of verbs. */
#include <string.h>

#include "cli.h"

enum { HELP_COLUMNS = 80 };

/* Prints words from `column` on, indented and broken before 80 columns. */
static void put_wrapped(FILE *out, const char *text, int column, int indent) {
    while (*text != '\0') {
        size_t length = strcspn(text, " ");
        int width = stoa_text_width(text, length);
        if (column > indent && column + 1 + width > HELP_COLUMNS) {
            (void)fprintf(out, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            (void)fputc(' ', out);
            column++;
        }
        (void)fwrite(text, 1, length, out);
        column += width;
        text += length;
        text += strspn(text, " ");
    }
    (void)fputc('\n', out);
}

static void put_option(FILE *out, const stoa_cli_option *option) {
    char left[64];
    if (option->letter != 0) {
        (void)snprintf(left, sizeof left, "  -%c, %s%s%s", option->letter, option->name,
                       option->argument == NULL ? "" : " ",
                       option->argument == NULL ? "" : option->argument);
    } else {
        (void)snprintf(left, sizeof left, "      %s%s%s", option->name,
                       option->argument == NULL ? "" : " ",
                       option->argument == NULL ? "" : option->argument);
    }
    (void)fprintf(out, "%-26s", left);
    if (strlen(left) >= 26) {
        (void)fprintf(out, "\n%26s", "");
    }
    put_wrapped(out, option->help, 26, 26);
}

static void put_indented_lines(FILE *out, const char *text) {
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        (void)fprintf(out, "  %.*s\n", (int)length, text);
        text += length + (text[length] == '\n');
    }
}

void stoa_cli_help(FILE *out) {
    (void)fputs("Stoa keeps records in columns: records go in, open files hold them, SQL "
                "answers.\n\nusage: stoa VERB DATABASE …\n\n"
                "A database is a directory, or :memory:. Results go to standard output, all else\n"
                "to standard error.\n\n",
                out);
    for (int i = 0; i < stoa_cli_verb_count; i++) {
        (void)fprintf(out, "  %-12s", stoa_cli_verbs[i].name);
        put_wrapped(out, stoa_cli_verbs[i].summary, 14, 14);
    }
    (void)fputs("\n'stoa VERB --help' says more. 'stoa --version' prints the version.\n"
                "\nenvironment:\n"
                "  STOA_MEMORY       memory for everything (default 1GiB)\n"
                "  STOA_THREADS      threads (default: as many as processors)\n"
                "  STOA_DUCKDB_DIR   where libduckdb.so is\n"
                "  STOA_LOG          error, warn (default), info or debug\n"
                "  STOA_MAPS         off: local files are never mapped\n"
                "  STOA_DIRECT_WRITES  MiB of a file, then past the page cache (1024), or off\n"
                "  STOA_CACHE_BYTES  keep so much of remote files on the local disk (0)\n"
                "  STOA_CACHE_DIR    where\n"
                "  NO_COLOR          no colours\n"
                "\nexit codes: 0 done, 1 the work failed, 2 wrong usage, 3 input or output failed,\n"
                "4 corrupt data found, 130 interrupted.\n",
                out);
}

void stoa_cli_help_verb(FILE *out, const stoa_cli_verb *verb) {
    (void)fprintf(out, "usage: stoa %s%s%s%s\n\n", verb->name, verb->positionals[0] ? " " : "",
                  verb->positionals, verb->options[0].name != NULL ? " [OPTION…]" : "");
    put_wrapped(out, verb->summary, 0, 0);
    if (verb->description != NULL) {
        (void)fputc('\n', out);
        put_wrapped(out, verb->description, 0, 0);
    }
    if (verb->options[0].name != NULL) {
        (void)fputs("\noptions:\n", out);
    }
    for (int i = 0; i < STOA_CLI_OPTIONS_MAX && verb->options[i].name != NULL; i++) {
        put_option(out, &verb->options[i]);
    }
    (void)fputs(strchr(verb->examples, '\n') == NULL ? "\nexample:\n" : "\nexamples:\n", out);
    put_indented_lines(out, verb->examples);
}

static void complete_bash(FILE *out) {
    (void)fputs("_stoa() {\n    local word=\"${COMP_WORDS[COMP_CWORD]}\"\n"
                "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        COMPREPLY=($(compgen -W \"", out);
    for (int i = 0; i < stoa_cli_verb_count; i++) {
        (void)fprintf(out, "%s%s", i > 0 ? " " : "", stoa_cli_verbs[i].name);
    }
    (void)fputs("\" -- \"$word\"))\n        return\n    fi\n    local options=\n"
                "    case \"${COMP_WORDS[1]}\" in\n", out);
    for (int i = 0; i < stoa_cli_verb_count; i++) {
        const stoa_cli_verb *verb = &stoa_cli_verbs[i];
        (void)fprintf(out, "        %s) options=\"--help", verb->name);
        for (int j = 0; j < STOA_CLI_OPTIONS_MAX && verb->options[j].name != NULL; j++) {
            (void)fprintf(out, " %s", verb->options[j].name);
        }
        (void)fputs("\" ;;\n", out);
    }
    (void)fputs("    esac\n    case \"$word\" in\n"
                "        -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
                "        *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
                "    esac\n}\ncomplete -o filenames -F _stoa stoa\n", out);
}

/* A text inside single quotes of zsh and fish. */
static void put_quoted(FILE *out, const char *text) {
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            (void)fputs("'\\''", out);
        } else if (*text != '[' && *text != ']' && *text != ':') {
            (void)fputc(*text, out);
        }
    }
}

static void complete_zsh(FILE *out) {
    (void)fputs("#compdef stoa\n_stoa() {\n    local -a verbs options\n    verbs=(\n", out);
    for (int i = 0; i < stoa_cli_verb_count; i++) {
        (void)fprintf(out, "        '%s:", stoa_cli_verbs[i].name);
        put_quoted(out, stoa_cli_verbs[i].summary);
        (void)fputs("'\n", out);
    }
    (void)fputs("    )\n    if (( CURRENT == 2 )); then\n        _describe verb verbs\n"
                "        return\n    fi\n    case $words[2] in\n", out);
    for (int i = 0; i < stoa_cli_verb_count; i++) {
        const stoa_cli_verb *verb = &stoa_cli_verbs[i];
        (void)fprintf(out, "        %s) options=('--help[help]'", verb->name);
        for (int j = 0; j < STOA_CLI_OPTIONS_MAX && verb->options[j].name != NULL; j++) {
            (void)fprintf(out, " '%s[", verb->options[j].name);
            put_quoted(out, verb->options[j].help);
            (void)fprintf(out, "]%s%s%s'", verb->options[j].argument == NULL ? "" : ":",
                          verb->options[j].argument == NULL ? "" : verb->options[j].argument,
                          verb->options[j].argument == NULL ? "" : ":_files");
        }
        (void)fputs(") ;;\n", out);
    }
    (void)fputs("    esac\n    _arguments '*:file:_files' $options\n}\n"
                "compdef _stoa stoa\n", out);
}

static void complete_fish(FILE *out) {
    for (int i = 0; i < stoa_cli_verb_count; i++) {
        const stoa_cli_verb *verb = &stoa_cli_verbs[i];
        (void)fprintf(out, "complete -c stoa -n __fish_use_subcommand -a %s -d '", verb->name);
        put_quoted(out, verb->summary);
        (void)fputs("'\n", out);
        for (int j = 0; j < STOA_CLI_OPTIONS_MAX && verb->options[j].name != NULL; j++) {
            (void)fprintf(out, "complete -c stoa -n '__fish_seen_subcommand_from %s' -l %s%s -d '",
                          verb->name, verb->options[j].name + 2,
                          verb->options[j].argument == NULL ? "" : " -r");
            put_quoted(out, verb->options[j].help);
            (void)fputs("'\n", out);
        }
    }
}

int stoa_cli_completion(const stoa_cli_arguments *arguments) {
    const char *shell = arguments->positionals[0];
    if (strcmp(shell, "bash") == 0) {
        complete_bash(stdout);
    } else if (strcmp(shell, "zsh") == 0) {
        complete_zsh(stdout);
    } else if (strcmp(shell, "fish") == 0) {
        complete_fish(stdout);
    } else {
        return stoa_cli_usage("completion", "expected bash, zsh or fish but found '%s'", shell);
    }
    return STOA_EXIT_OK;
}

/* roff reads '-' as a hyphen, a backslash as an escape, and a dot that begins a line as a request. */
static void put_roff(FILE *out, const char *text) {
    bool line_start = true;
    for (; *text != '\0'; text++) {
        if (line_start && (*text == '.' || *text == '\'')) {
            (void)fputs("\\&", out);
        }
        if (*text == '-' || *text == '\\') {
            (void)fputs(*text == '-' ? "\\-" : "\\e", out);
        } else {
            (void)fputc(*text, out);
        }
        line_start = *text == '\n';
    }
}

static void manual_verb(FILE *out, const stoa_cli_verb *verb) {
    (void)fprintf(out, ".SS stoa %s ", verb->name);
    put_roff(out, verb->positionals);
    (void)fputc('\n', out);
    put_roff(out, verb->summary);
    (void)fputs(".\n", out);
    if (verb->description != NULL) {
        put_roff(out, verb->description);
        (void)fputc('\n', out);
    }
    for (int i = 0; i < STOA_CLI_OPTIONS_MAX && verb->options[i].name != NULL; i++) {
        const stoa_cli_option *option = &verb->options[i];
        (void)fputs(".TP\n.B ", out);
        put_roff(out, option->name);
        if (option->argument != NULL) {
            (void)fprintf(out, " \\fI%s\\fR", option->argument);
        }
        (void)fputc('\n', out);
        put_roff(out, option->help);
        (void)fputc('\n', out);
    }
    (void)fputs(".PP\n.nf\n", out);
    put_roff(out, verb->examples);
    (void)fputs("\n.fi\n", out);
}

int stoa_cli_manual(const stoa_cli_arguments *arguments) {
    (void)arguments;
    FILE *out = stdout;
    (void)fprintf(out,
                  ".TH STOA 1 \"\" \"stoa %s\" \"User Commands\"\n.SH NAME\nstoa \\- keep records "
                  "in columns\n.SH SYNOPSIS\n.B stoa\n\\fIVERB\\fR \\fIDATABASE\\fR …\n"
                  ".SH DESCRIPTION\nReal records go in, they are kept as columns in open files, "
                  "and SQL answers over them. A database is a directory, or :memory:. Results go "
                  "to standard output, everything else to standard error.\n.SH VERBS\n",
                  stoa_version());
    for (int i = 0; i < stoa_cli_verb_count; i++) {
        manual_verb(out, &stoa_cli_verbs[i]);
    }
    (void)fputs(".SH EXIT STATUS\n0 done; 1 the work failed; 2 wrong usage; 3 input or output "
                "failed; 4 corrupt data found; 130 interrupted.\n"
                ".SH ENVIRONMENT\nSTOA_MEMORY, STOA_THREADS, STOA_DUCKDB_DIR, STOA_LOG, "
                "STOA_MAPS, STOA_DIRECT_WRITES, STOA_CACHE_BYTES, STOA_CACHE_DIR, NO_COLOR.\n", out);
    return STOA_EXIT_OK;
}
