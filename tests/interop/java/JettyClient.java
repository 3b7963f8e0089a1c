// JettyClient.java - Debian's Jetty 9 as a client of ours: see systems.py.

import java.net.URI;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.client.HttpClient;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.eclipse.jetty.websocket.api.Session;
import org.eclipse.jetty.websocket.api.WebSocketAdapter;
import org.eclipse.jetty.websocket.api.WebSocketPingPongListener;
import org.eclipse.jetty.websocket.client.ClientUpgradeRequest;
import org.eclipse.jetty.websocket.client.WebSocketClient;

public class JettyClient extends Talk {
    private Session session;

    public class Listener extends WebSocketAdapter implements WebSocketPingPongListener {
        @Override
        public void onWebSocketText(String message) {
            heard.add(message);
        }

        @Override
        public void onWebSocketBinary(byte[] payload, int offset, int length) {
            heard.add(Arrays.copyOfRange(payload, offset, offset + length));
        }

        @Override
        public void onWebSocketPing(ByteBuffer payload) {
        }

        @Override
        public void onWebSocketPong(ByteBuffer payload) {
            heard.add(ByteBuffer.allocate(payload.remaining()).put(payload).flip());
        }

        @Override
        public void onWebSocketClose(int code, String reason) {
            heard.add(code);
        }
    }

    @Override
    void text(String message) throws Exception {
        session.getRemote().sendString(message);
    }

    @Override
    void binary(byte[] message) throws Exception {
        session.getRemote().sendBytes(ByteBuffer.wrap(message.clone())); // it masks them where they are
    }

    @Override
    void fragments(String... parts) throws Exception {
        for (int i = 0; i < parts.length; i++)
            session.getRemote().sendPartialString(parts[i], i == parts.length - 1);
    }

    @Override
    void ping(String payload) throws Exception {
        session.getRemote().sendPing(ByteBuffer.wrap(payload.getBytes()));
    }

    @Override
    void close(int code, String reason) {
        session.close(code, reason);
    }

    public static void main(String[] arguments) throws Exception {
        SslContextFactory.Client tls = new SslContextFactory.Client();
        if (arguments.length > 2)
            tls.setSslContext(Pem.trusting(arguments[2]));
        WebSocketClient client = new WebSocketClient(new HttpClient(tls));
        client.getPolicy().setMaxTextMessageSize(LARGEST);
        client.getPolicy().setMaxBinaryMessageSize(LARGEST);
        client.start();
        ClientUpgradeRequest request = new ClientUpgradeRequest();
        if (arguments[1].equals("deflate"))
            request.addExtensions("permessage-deflate");
        JettyClient talk = new JettyClient();
        talk.session = client.connect(talk.new Listener(), URI.create(arguments[0]), request).get(20, TimeUnit.SECONDS);
        talk.run(talk.session.getUpgradeResponse().getHeader("Sec-WebSocket-Extensions") != null);
        client.stop();
        System.exit(0);
    }
}
