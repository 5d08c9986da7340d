import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.StringReader;
import java.io.StringWriter;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Arrays;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;

/** What people do with JDBC. args: url, user, password. */
public final class JdbcTour {
  public static void main(String[] args) throws Exception {
    try (Connection connection = DriverManager.getConnection(args[0], args[1], args[2])) {
      prepared(connection);
      batches(connection);
      portions(connection);
      copies(connection);
      metadata(connection);
      failures(connection);
      cancels(connection);
    }
    System.out.println("tour done");
  }

  /** More than five executions: the driver goes over to a named statement and binary results. */
  private static void prepared(Connection connection) throws SQLException {
    try (PreparedStatement select = connection.prepareStatement("select id, name, balance, joined, vip from customers where id = ?")) {
      for (int id = 1; id <= 20; id++) {
        select.setInt(1, id);
        try (ResultSet rows = select.executeQuery()) {
          check(rows.next() && rows.getInt(1) == id && rows.getString(2).equals("customer " + id), "row " + id);
          check(rows.getBigDecimal(3).doubleValue() == id * 1.25, "balance " + id);
        }
      }
    }
    byte[] body = new byte[100_000];
    Arrays.fill(body, (byte) 0xfe);
    try (PreparedStatement insert = connection.prepareStatement("insert into blobs (id, body) values (9, ?) returning body")) {
      insert.setBytes(1, body);
      try (ResultSet rows = insert.executeQuery()) {
        check(rows.next() && Arrays.equals(rows.getBytes(1), body), "bytes");
      }
    }
  }

  private static void batches(Connection connection) throws SQLException {
    try (PreparedStatement insert = connection.prepareStatement("insert into blobs (id, tags) values (?, ?)")) {
      for (int id = 1000; id < 3000; id++) {
        insert.setInt(1, id);
        insert.setArray(2, connection.createArrayOf("text", new String[] {"a", "b"}));
        insert.addBatch();
      }
      check(insert.executeBatch().length == 2000, "batch");
    }
  }

  private static void portions(Connection connection) throws SQLException {
    connection.setAutoCommit(false);
    try (Statement statement = connection.createStatement()) {
      statement.setFetchSize(333);
      long sum = 0;
      try (ResultSet rows = statement.executeQuery("select id from orders order by id")) {
        while (rows.next()) sum += rows.getLong(1);
      }
      check(sum == 200010000L, "sum " + sum);
    }
    connection.commit();
    connection.setAutoCommit(true);
  }

  private static void copies(Connection connection) throws Exception {
    CopyManager copy = connection.unwrap(PGConnection.class).getCopyAPI();
    StringWriter text = new StringWriter();
    check(copy.copyOut("copy (select id, item from orders order by id) to stdout", text) == 20000, "copy out");
    try (Statement statement = connection.createStatement()) {
      statement.execute("create temp table again (id int8, item text)");
      check(copy.copyIn("copy again from stdin", new StringReader(text.toString())) == 20000, "copy in");
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      copy.copyOut("copy again to stdout (format binary)", bytes);
      statement.execute("truncate again");
      copy.copyIn("copy again from stdin (format binary)", new ByteArrayInputStream(bytes.toByteArray()));
      try (ResultSet rows = statement.executeQuery("select count(*) from again")) {
        check(rows.next() && rows.getInt(1) == 20000, "copied again");
      }
    }
  }

  private static void metadata(Connection connection) throws SQLException {
    DatabaseMetaData metadata = connection.getMetaData();
    int columns = 0;
    try (ResultSet rows = metadata.getColumns(null, "public", "customers", "%")) {
      while (rows.next()) columns++;
    }
    check(columns == 6, "columns " + columns);
    try (ResultSet rows = metadata.getPrimaryKeys(null, "public", "orders")) {
      check(rows.next() && rows.getString("COLUMN_NAME").equals("id"), "primary key");
    }
    try (ResultSet rows = metadata.getImportedKeys(null, "public", "orders")) {
      check(rows.next() && rows.getString("PKTABLE_NAME").equals("customers"), "foreign key");
    }
    try (PreparedStatement select = connection.prepareStatement("select name as n, balance from customers where city = ?")) {
      check(select.getMetaData().getColumnCount() == 2, "result metadata");
      check(select.getParameterMetaData().getParameterTypeName(1).equals("text"), "parameter metadata");
    }
  }

  private static void failures(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute("select 1 / 0");
      throw new IllegalStateException("the division went through");
    } catch (SQLException error) {
      check("22012".equals(error.getSQLState()), error.getSQLState());
    }
  }

  private static void cancels(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.setQueryTimeout(1);
      statement.execute("select pg_sleep(60)");
      throw new IllegalStateException("it slept");
    } catch (SQLException error) {
      check("57014".equals(error.getSQLState()), error.getSQLState());
    }
    try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery("select 5")) {
      check(rows.next() && rows.getInt(1) == 5, "life after it");
    }
  }

  private static void check(boolean holds, String what) {
    if (!holds) throw new IllegalStateException(what);
  }
}
