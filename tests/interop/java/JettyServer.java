// JettyServer.java - Debian's Jetty 9 as a server for the tests of the client: see peers.py.

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.eclipse.jetty.websocket.api.RemoteEndpoint;
import org.eclipse.jetty.websocket.api.Session;
import org.eclipse.jetty.websocket.api.WebSocketAdapter;
import org.eclipse.jetty.websocket.api.WebSocketPingPongListener;
import org.eclipse.jetty.websocket.server.WebSocketHandler;
import org.eclipse.jetty.websocket.servlet.WebSocketServletFactory;

public class JettyServer {
    static final int LARGEST = 4 << 20;

    public static class Echo extends WebSocketAdapter implements WebSocketPingPongListener {
        @Override
        public void onWebSocketText(String message) {
            String[] words = message.split(" ", 3);
            try {
                switch (words[0]) {
                case "swale:close" -> getSession().close(Integer.parseInt(words[1]), words[2]);
                case "swale:ping" -> getRemote().sendPing(ByteBuffer.wrap(words[1].getBytes(StandardCharsets.UTF_8)));
                case "swale:fragments" -> sendFragments(getRemote());
                default -> getRemote().sendString(message);
                }
            } catch (IOException error) {
                System.out.println("error " + error);
            }
        }

        @Override
        public void onWebSocketBinary(byte[] payload, int offset, int length) {
            try {
                getRemote().sendBytes(ByteBuffer.wrap(payload, offset, length));
            } catch (IOException error) {
                System.out.println("error " + error);
            }
        }

        private static void sendFragments(RemoteEndpoint remote) throws IOException {
            for (String part : new String[] { "one ", "", "two €" })
                remote.sendPartialString(part, false);
            remote.sendPartialString(" three", true);
        }

        @Override
        public void onWebSocketPing(ByteBuffer payload) {
        }

        @Override
        public void onWebSocketPong(ByteBuffer payload) {
            getRemote().sendString("pong " + StandardCharsets.UTF_8.decode(payload), null);
        }

        @Override
        public void onWebSocketClose(int code, String reason) {
            System.out.println("closed " + code + " " + (reason == null ? "" : reason));
        }
    }

    private static SslContextFactory.Server identity(String certificate, String key) throws Exception {
        SslContextFactory.Server tls = new SslContextFactory.Server();
        tls.setKeyStore(Pem.identity(certificate, key));
        tls.setKeyStorePassword(Pem.PASSWORD);
        return tls;
    }

    public static void main(String[] arguments) throws Exception {
        Server server = new Server();
        ServerConnector connector = arguments.length > 2
            ? new ServerConnector(server, identity(arguments[2], arguments[3])) : new ServerConnector(server);
        connector.setHost("127.0.0.1");
        connector.setPort(Integer.parseInt(arguments[0]));
        server.addConnector(connector);
        server.setHandler(new WebSocketHandler() {
            @Override
            public void configure(WebSocketServletFactory factory) {
                factory.getPolicy().setMaxTextMessageSize(LARGEST);
                factory.getPolicy().setMaxBinaryMessageSize(LARGEST);
                factory.setCreator((request, response) -> {
                    if (request.getSubProtocols().contains("second"))
                        response.setAcceptedSubProtocol("second");
                    return new Echo();
                });
            }
        });
        server.start();
        System.out.println("listening " + connector.getLocalPort());
        server.join();
    }
}
