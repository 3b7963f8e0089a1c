#include "test.h"

#include "app/connect/verbose.h"

static void shows(const struct swale_trace *trace, uint64_t ms, const char *expected)
{
    struct buffer out = { 0 };
    verbose_put(trace, ms, &out);
    buffer_put(&out, swale_span("", 1));
    assert_string_equal(out.data, expected);
    buffer_done(&out);
}

static void shows_heads(void **state)
{
    (void)state;
    shows(&(struct swale_trace){ .kind = SWALE_TRACE_NOTE, .text = swale_text("trying [::1]:80") }, 0,
          "* trying [::1]:80\n");
    shows(
        &(struct swale_trace){ .kind = SWALE_TRACE_REQUEST, .text = swale_text("GET / HTTP/1.1\r\nHost: a\r\n\r\n") },
        0, "> GET / HTTP/1.1\n> Host: a\n> \n");
    shows(&(struct swale_trace){ .kind = SWALE_TRACE_RESPONSE,
                                 .text = swale_text("HTTP/1.1 101 \033[2JX\r\nA: \xff\r\n\r\n") },
          0, "< HTTP/1.1 101 \\x1b[2JX\n< A: \\xff\n< \n");
}

static void hides_credentials(void **state)
{
    (void)state;
    shows(&(struct swale_trace){ .kind = SWALE_TRACE_REQUEST,
                                 .text = swale_text("authorization:  Basic c2VjcmV0\r\nCookie: secret=1\r\n"
                                                    "Proxy-Authorization:secret\r\nX: Basic 1\r\n") },
          0,
          "> authorization:  Basic (hidden)\n> Cookie: (hidden)\n> Proxy-Authorization:(hidden)\n"
          "> X: Basic 1\n");
    shows(&(struct swale_trace){ .kind = SWALE_TRACE_RESPONSE, .text = swale_text("Set-Cookie: a=secret") }, 0,
          "< Set-Cookie: (hidden)\n");
}

static void shows_frames(void **state)
{
    (void)state;
    shows(
        &(struct swale_trace){ .kind = SWALE_TRACE_FRAME_OUT, .opcode = 1, .fin = true, .masked = true, .length = 5 },
        12, "> 0.012 s: text, fin, masked, 5 bytes\n");
    shows(&(struct swale_trace){ .kind = SWALE_TRACE_FRAME_IN, .opcode = 2, .rsv = 5, .length = 1 << 20 }, 61007,
          "< 61.007 s: binary, rsv1, rsv3, 1048576 bytes\n");
    shows(&(struct swale_trace){ .kind = SWALE_TRACE_FRAME_IN, .opcode = 0, .fin = true }, 0,
          "< 0.000 s: continuation, fin, 0 bytes\n");
    shows(&(struct swale_trace){ .kind = SWALE_TRACE_FRAME_IN, .opcode = 11, .rsv = 2 }, 0,
          "< 0.000 s: reserved opcode, rsv2, 0 bytes\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_heads),
        cmocka_unit_test(hides_credentials),
        cmocka_unit_test(shows_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
