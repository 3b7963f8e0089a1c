#include "app/connect/terminal.h"

#include "app/connect/history.h"

#include <errno.h>
#include <histedit.h>
#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

enum { KEYS = 4096, CTRL_C = 3 };

struct terminal {
    struct terminal_options options;
    EditLine *editor;
    History *history;
    struct swale_watch watch;
    mbstate_t decoding;
    char keys[KEYS]; /* that were typed and not read by the editor yet */
    size_t key_count;
    bool editing;     /* within terminal_read: the prompt is on the screen */
    bool interrupted; /* Ctrl-C is the next key */
    bool leaving, hung_up;
    char *line;
};

/* ---- Keys ------------------------------------------------------------------------------------------- */

static void hang_up(struct terminal *terminal)
{
    terminal->hung_up = true;
    swale_watch_stop(terminal->options.loop, &terminal->watch);
}

static void ready(struct swale_watch *watch, unsigned events)
{
    struct terminal *terminal = watch->context;
    (void)events;
    ssize_t size = read(STDIN_FILENO, terminal->keys + terminal->key_count, KEYS - terminal->key_count);
    if (size > 0)
        terminal->key_count += (size_t)size;
    else if (size == 0 || (errno != EAGAIN && errno != EINTR))
        hang_up(terminal);
    if (terminal->key_count == KEYS)
        swale_watch_stop(terminal->options.loop, &terminal->watch);
}

static void drop_keys(struct terminal *terminal, size_t count)
{
    terminal->key_count -= count;
    memmove(terminal->keys, terminal->keys + count, terminal->key_count);
    if (!terminal->hung_up && !terminal->watch.entry &&
        swale_watch_start(terminal->options.loop, &terminal->watch, SWALE_READABLE) < 0)
        terminal->hung_up = true;
}

/* Takes one character from the keys. What is none in this locale is left out. */
static bool take_key(struct terminal *terminal, wchar_t *key)
{
    while (terminal->key_count > 0) {
        mbstate_t state = terminal->decoding;
        size_t length = mbrtowc(key, terminal->keys, terminal->key_count, &state);
        if (length == (size_t)-2 && terminal->key_count < MB_LEN_MAX)
            return false;
        bool good = length != (size_t)-1 && length != (size_t)-2;
        drop_keys(terminal, good && length > 0 ? length : 1);
        if (good)
            return true;
    }
    return false;
}

/* The editor's way to the next key: 1, or 0 at the end. */
static int wait_for_key(EditLine *editor, wchar_t *key)
{
    struct terminal *terminal;
    el_get(editor, EL_CLIENTDATA, &terminal);
    for (;;) {
        if (terminal->leaving)
            return 0;
        if (terminal->interrupted) {
            terminal->interrupted = false;
            *key = CTRL_C;
            return 1;
        }
        if (take_key(terminal, key))
            return 1;
        if (terminal->hung_up || swale_loop_step(terminal->options.loop, -1) < 0)
            return 0;
    }
}

/* What Ctrl-C does: takes back what was typed; where there is nothing, it is the end. */
static unsigned char on_interrupt(EditLine *editor, int key)
{
    (void)key;
    const LineInfo *line = el_line(editor);
    if (line->lastchar == line->buffer)
        return CC_EOF;
    el_cursor(editor, (int)(line->lastchar - line->cursor));
    el_deletestr(editor, (int)(line->lastchar - line->buffer));
    return CC_REFRESH;
}

/* ---- The screen ------------------------------------------------------------------------------------- */

enum { INVISIBLE = 1 }; /* stands around sequences of the prompt that take no room */

static char *prompt(EditLine *editor)
{
    static char plain[] = "> ";
    static char coloured[] = "\1\033[32m\1> \1\033[0m\1";
    struct terminal *terminal;
    el_get(editor, EL_CLIENTDATA, &terminal);
    return terminal->options.colours ? coloured : plain;
}

static size_t columns(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : 80;
}

/* How the editor draws a character: ^X for control characters, \U+NNNN for what cannot be shown. */
static size_t width_of(wchar_t character, size_t column)
{
    enum { TAB = 8 };
    if (character == L'\t')
        return TAB - column % TAB;
    if (character < 0x20 || character == 0x7f)
        return 2;
    int width = wcwidth(character);
    return width >= 0 ? (size_t)width : character > 0xffff ? 8 : 7;
}

/* The row of the cursor below the row of the prompt. */
static size_t cursor_row(struct terminal *terminal)
{
    const LineInfoW *line = el_wline(terminal->editor);
    size_t width = columns();
    size_t row = 0, column = strlen("> ");
    for (const wchar_t *at = line->buffer; at < line->cursor; at++) {
        size_t needed = width_of(*at, column);
        if (column + needed > width) { /* a wide one does not fit in the last column */
            row++;
            column = 0;
        }
        column += needed;
    }
    return row + column / width;
}

static void clear_prompt(struct terminal *terminal)
{
    size_t row = cursor_row(terminal);
    if (row > 0)
        printf("\033[%zuA", row);
    fputs("\r\033[J", stdout);
}

void terminal_print(struct terminal *terminal, struct swale_span lines)
{
    if (terminal->editing)
        clear_prompt(terminal);
    fwrite(lines.data, 1, lines.size, stdout);
    if (terminal->editing)
        el_set(terminal->editor, EL_REFRESH);
    fflush(stdout);
}

/* ---- Signals ---------------------------------------------------------------------------------------- */

/* The kernel dropped what was typed before; what has been read may have been typed after. */
void terminal_interrupt(struct terminal *terminal)
{
    terminal->interrupted = true;
}

void terminal_resize(struct terminal *terminal)
{
    if (terminal->editing)
        clear_prompt(terminal);
    el_resize(terminal->editor);
    if (terminal->editing)
        el_set(terminal->editor, EL_REFRESH);
}

void terminal_suspend(struct terminal *terminal)
{
    if (terminal->editing)
        el_set(terminal->editor, EL_PREP_TERM, 0);
    raise(SIGSTOP);
    if (!terminal->editing)
        return;
    el_set(terminal->editor, EL_PREP_TERM, 1);
    el_set(terminal->editor, EL_REFRESH);
}

/* ---- Lines ------------------------------------------------------------------------------------------ */

/* A line that begins with a space is not remembered, as in shells; neither is one that repeats the one before. */
static void remember(struct terminal *terminal, const char *line)
{
    HistEvent event;
    if (line[0] == ' ' || line[0] == 0)
        return;
    if (history(terminal->history, &event, H_FIRST) >= 0 && strcmp(event.str, line) == 0)
        return;
    history(terminal->history, &event, H_ENTER, line);
    if (terminal->options.history)
        history_add(terminal->options.history, line);
}

const char *terminal_read(struct terminal *terminal)
{
    int size = 0;
    if (terminal->leaving)
        return NULL;
    terminal->editing = true;
    /* The editor would do so when the prompt is on the screen already, and be too late for fast fingers. */
    el_set(terminal->editor, EL_PREP_TERM, 1);
    const char *line = el_gets(terminal->editor, &size);
    bool good = line && size > 0 && !terminal->leaving && line[size - 1] == '\n';
    if (!good)
        clear_prompt(terminal);
    fflush(stdout);
    terminal->editing = false;
    free(terminal->line);
    terminal->line = NULL;
    if (!good)
        return NULL;
    terminal->line = strndup(line, (size_t)size - 1);
    if (terminal->line)
        remember(terminal, terminal->line);
    return terminal->line;
}

void terminal_leave(struct terminal *terminal)
{
    terminal->leaving = true;
}

/* ---- Beginning and end ------------------------------------------------------------------------------ */

bool terminal_possible(void)
{
    const char *name = getenv("TERM");
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && name && *name && strcmp(name, "dumb") != 0;
}

/* Messages are UTF-8, so the keys must be. */
static void choose_locale(void)
{
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

static void set_up_editor(struct terminal *terminal)
{
    EditLine *editor = terminal->editor;
    HistEvent event;
    el_set(editor, EL_CLIENTDATA, terminal);
    el_set(editor, EL_PROMPT_ESC, prompt, INVISIBLE);
    el_set(editor, EL_EDITOR, "emacs");
    el_set(editor, EL_SIGNAL, 0);
    el_set(editor, EL_GETCFN, wait_for_key);
    el_wset(editor, EL_ADDFN, L"swale-interrupt", L"takes back the line, or ends", on_interrupt);
    el_set(editor, EL_BIND, "^C", "swale-interrupt", NULL);
    el_set(editor, EL_BIND, "^R", "em-inc-search-prev", NULL);
    history(terminal->history, &event, H_SETSIZE, HISTORY_LINES);
    if (terminal->options.history)
        history_load(terminal->history, terminal->options.history);
    el_set(editor, EL_HIST, history, terminal->history);
    el_source(editor, NULL); /* the user's own bindings: ~/.editrc */
}

struct terminal *terminal_open(const struct terminal_options *options)
{
    struct terminal *terminal = calloc(1, sizeof *terminal);
    if (!terminal)
        return NULL;
    choose_locale();
    setvbuf(stdout, NULL, _IOFBF, 0); /* a message and the prompt below it appear at once */
    terminal->options = *options;
    terminal->editor = el_init("swale", stdin, stdout, stderr);
    terminal->history = history_init();
    terminal->watch = (struct swale_watch){ .ready = ready, .context = terminal, .fd = STDIN_FILENO };
    if (!terminal->editor || !terminal->history ||
        swale_watch_start(options->loop, &terminal->watch, SWALE_READABLE) < 0) {
        terminal_close(terminal);
        return NULL;
    }
    set_up_editor(terminal);
    return terminal;
}

void terminal_close(struct terminal *terminal)
{
    if (!terminal)
        return;
    swale_watch_stop(terminal->options.loop, &terminal->watch);
    if (terminal->editor)
        el_end(terminal->editor);
    fflush(stdout);
    if (terminal->history)
        history_end(terminal->history);
    free(terminal->line);
    free(terminal);
}
