import { Alert, Button, Center, Paper, PasswordInput, Stack, TextInput, Title } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState, type ReactNode } from "react";
import { api, DeskError, onSignedOut, renew, take } from "@/lib/api";
import { listen } from "@/lib/events";
import * as read from "@/lib/queries";
import { common, shell, signin } from "@/lib/strings";

const RENEW_EVERY = 8 * 60_000;

/** Lets through who may be here; asks the others to sign in, and leaves them where they were. */
export function Gate({ children }: { children: ReactNode }): ReactNode {
  const queries = useQueryClient();
  const [ended, setEnded] = useState(false);
  const { data, error, refetch } = useQuery({
    ...read.session,
    queryFn: async () => {
      const me = await take(api.GET("/api/session"));
      return me.name === null && (await renew()) ? take(api.GET("/api/session")) : me;
    },
  });
  const inside = data?.name != null && !ended;
  useEffect(() => onSignedOut(() => setEnded(true)), []);
  useEffect(() => (inside ? listen(queries) : undefined), [inside, queries]);
  useEffect(() => {
    if (!inside || data.way !== "session") return undefined;
    const timer = window.setInterval(() => void renew(), RENEW_EVERY);
    return () => window.clearInterval(timer);
  }, [inside, data?.way]);

  if (error && !data)
    return (
      <Center h="100dvh">
        <Alert color="red" title={shell.lost} maw={420}>
          {error.message}
          <Button mt="sm" variant="default" onClick={() => void refetch()}>{common.retry}</Button>
        </Alert>
      </Center>
    );
  if (!data) return null;
  if (inside) return children;
  return (
    <SignIn
      ended={ended}
      done={(me) => {
        queries.removeQueries({ predicate: ({ queryKey: [noun] }) => noun !== "session" }); // may be another person
        queries.setQueryData(read.session.queryKey, me);
        setEnded(false);
      }}
    />
  );
}

function SignIn({ ended, done }: { ended: boolean; done: (me: Awaited<ReturnType<typeof signInWith>>) => void }): ReactNode {
  const [refusal, setRefusal] = useState("");
  const form = useForm({ initialValues: { name: "", password: "" } });
  useEffect(() => {
    document.title = `${signin.title} · ${shell.name}`;
  }, []);
  const submit = async (values: { name: string; password: string }): Promise<void> => {
    setRefusal("");
    try {
      done(await signInWith(values));
    } catch (error) {
      form.setFieldValue("password", "");
      if (error instanceof DeskError) form.setErrors(error.fields);
      setRefusal(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <Center h="100dvh" component="main">
      <Paper withBorder p="lg" w={340} component="form" onSubmit={form.onSubmit((values) => void submit(values))}>
        <Stack gap="sm">
          <Title order={1}>{`${shell.name} · ${signin.title}`}</Title>
          {ended && <Alert color="yellow">{signin.ended}</Alert>}
          {refusal && <Alert color="red" role="alert">{refusal}</Alert>}
          <TextInput label={signin.name} autoComplete="username" autoFocus required {...form.getInputProps("name")} />
          <PasswordInput label={signin.password} autoComplete="current-password" required {...form.getInputProps("password")} />
          <Button type="submit" loading={form.submitting}>{signin.submit}</Button>
        </Stack>
      </Paper>
    </Center>
  );
}

const signInWith = (body: { name: string; password: string }) => take(api.POST("/api/session", { body }));
