// NaiveSocket.java - a client of ours on a plain java.net.Socket, as people write them: the frames by hand, one write for
// each part of them, one fixed mask, no look at the server's key, no answer to pings: see systems.py.

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.Socket;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

public class NaiveSocket extends Talk implements Runnable {
    private static final byte[] MASK = { 1, 2, 3, 4 };
    private final DataInputStream in;
    private final DataOutputStream out;

    @SuppressWarnings("deprecation")
    NaiveSocket(Socket socket, URI url) throws IOException {
        in = new DataInputStream(socket.getInputStream());
        out = new DataOutputStream(socket.getOutputStream());
        out.writeBytes("GET " + url.getPath() + " HTTP/1.1\r\n");
        out.writeBytes("Host: " + url.getHost() + ":" + url.getPort() + "\r\n");
        out.writeBytes("Upgrade: WebSocket\r\n");
        out.writeBytes("Connection: Upgrade\r\n");
        out.writeBytes("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
        out.writeBytes("Sec-WebSocket-Version: 13\r\n");
        out.writeBytes("\r\n");
        String status = in.readLine();
        if (!status.contains("101"))
            throw new IOException(status);
        while (!in.readLine().isEmpty())
            continue;
    }

    private void frame(int first, byte[] payload) throws IOException {
        out.write(first);
        if (payload.length < 126) {
            out.write(128 | payload.length);
        } else if (payload.length < 65536) {
            out.write(128 | 126);
            out.writeShort(payload.length);
        } else {
            out.write(128 | 127);
            out.writeLong(payload.length);
        }
        out.write(MASK);
        byte[] masked = new byte[payload.length];
        for (int i = 0; i < payload.length; i++)
            masked[i] = (byte)(payload[i] ^ MASK[i % 4]);
        out.write(masked);
    }

    // One message is one frame here: fragments are not put together.
    @Override
    public void run() {
        try {
            int opcode;
            do {
                opcode = in.read() & 15;
                long size = in.read();
                if (size == 126)
                    size = in.readUnsignedShort();
                else if (size == 127)
                    size = in.readLong();
                byte[] payload = new byte[(int)size];
                in.readFully(payload);
                switch (opcode) {
                case 1 -> heard.add(new String(payload, StandardCharsets.UTF_8));
                case 2 -> heard.add(payload);
                case 8 -> heard.add((int)ByteBuffer.wrap(payload).getShort());
                case 10 -> heard.add(ByteBuffer.wrap(payload));
                }
            } while (opcode != 8);
        } catch (IOException error) {
            heard.add(error);
        }
    }

    @Override
    void text(String message) throws IOException {
        frame(0x81, message.getBytes(StandardCharsets.UTF_8));
    }

    @Override
    void binary(byte[] message) throws IOException {
        frame(0x82, message);
    }

    @Override
    void fragments(String... parts) throws IOException {
        for (int i = 0; i < parts.length; i++)
            frame((i == 0 ? 1 : 0) | (i == parts.length - 1 ? 0x80 : 0), parts[i].getBytes(StandardCharsets.UTF_8));
    }

    @Override
    void ping(String payload) throws IOException {
        frame(0x89, payload.getBytes(StandardCharsets.UTF_8));
    }

    @Override
    void close(int code, String reason) throws IOException {
        byte[] text = reason.getBytes(StandardCharsets.UTF_8);
        frame(0x88, ByteBuffer.allocate(2 + text.length).putShort((short)code).put(text).array());
    }

    public static void main(String[] arguments) throws Exception {
        URI url = URI.create(arguments[0]);
        Socket socket = arguments.length > 2
            ? Pem.trusting(arguments[2]).getSocketFactory().createSocket(url.getHost(), url.getPort())
            : new Socket(url.getHost(), url.getPort());
        NaiveSocket talk = new NaiveSocket(socket, url);
        new Thread(talk).start();
        talk.run(false);
        socket.close();
    }
}
