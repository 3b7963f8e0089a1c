// Talk.java - what each client in Java does, whatever its library: see systems.py.

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

abstract class Talk {
    static final int LARGEST = 4 << 20;
    private static final int[] SIZES = { 0, 1, 125, 126, 65535, 65536, 1 << 20 };

    // A library's threads must not outlive a failure.
    static {
        Thread.setDefaultUncaughtExceptionHandler((thread, error) -> {
            error.printStackTrace();
            System.exit(1);
        });
    }

    // What has come: a String or a byte[], a ByteBuffer for a pong, an Integer for a close.
    final LinkedBlockingQueue<Object> heard = new LinkedBlockingQueue<>();

    abstract void text(String message) throws Exception;
    abstract void binary(byte[] message) throws Exception;
    abstract void fragments(String... parts) throws Exception;
    abstract void ping(String payload) throws Exception;
    abstract void close(int code, String reason) throws Exception;

    private Object next() throws Exception {
        Object found = heard.poll(20, TimeUnit.SECONDS);
        if (found == null)
            throw new Exception("nothing came");
        return found;
    }

    private void expect(Object wanted) throws Exception {
        Object found = next();
        boolean same = wanted instanceof byte[] bytes ? found instanceof byte[] other && Arrays.equals(bytes, other)
                                                      : wanted.equals(found);
        if (!same)
            throw new Exception("something else came: a " + found.getClass());
    }

    void run(boolean deflate) throws Exception {
        System.out.println("agreed " + (deflate ? "deflate" : "plain"));
        String counted = IntStream.range(0, 1 << 18).mapToObj(Integer::toString).collect(Collectors.joining(" "));
        for (int size : SIZES) {
            byte[] bytes = new byte[size];
            for (int i = 0; i < size; i++)
                bytes[i] = (byte)(i * 7 + i / 251);
            text(counted.substring(0, size));
            expect(counted.substring(0, size));
            binary(bytes);
            expect(bytes);
        }
        for (int number = 0; number < 100; number++)
            text("message " + number);
        for (int number = 0; number < 100; number++)
            expect("message " + number);
        fragments("in ", "", "fragments");
        expect("in fragments");
        ping("there?");
        expect(ByteBuffer.wrap("there?".getBytes()));
        close(4000, "bye");
        System.out.println("closed " + next());
    }
}
