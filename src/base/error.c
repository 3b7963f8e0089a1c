/* error.c - the one table of codes, as text and as numbers. */
#include <swale/base.h>

struct entry {
    int code;
    short http_status;
    short close_code;
    const char *name;
    const char *text;
};

#define ENTRY(code, name, http, close, label, text) { code, http, close, label, text },
static const struct entry table[SWALE_ERROR_SLOTS] = { { 0, 0, 0, "ok", "no error" }, SWALE_ERRORS(ENTRY) };
#undef ENTRY

/* The codes of the table descend. Every connection ends with one of them, so that it is worth halving. */
int swale_error_slot(int error)
{
    int first = 1, end = SWALE_ERROR_SLOTS;
    while (first < end) {
        int middle = (first + end) / 2;
        if (table[middle].code > error)
            first = middle + 1;
        else
            end = middle;
    }
    return first < SWALE_ERROR_SLOTS && table[first].code == error ? first : 0;
}

int swale_error_at(int slot)
{
    return slot > 0 && slot < SWALE_ERROR_SLOTS ? table[slot].code : 0;
}

static bool from_system(int error)
{
    return error < 0 && error > -1000;
}

const char *swale_strerror(int error)
{
    int slot = swale_error_slot(error);
    if (slot > 0 || error == 0)
        return table[slot].text;
    if (!from_system(error))
        return "unknown error";
    const char *text = strerrordesc_np(-error);
    return text ? text : "system error";
}

const char *swale_error_name(int error)
{
    int slot = swale_error_slot(error);
    if (slot > 0 || error == 0)
        return table[slot].name;
    return from_system(error) ? "system" : "unknown";
}

int swale_error_http_status(int error)
{
    return table[swale_error_slot(error)].http_status;
}

int swale_error_close_code(int error)
{
    return table[swale_error_slot(error)].close_code;
}

const char *swale_version(void)
{
    return SWALE_VERSION;
}
