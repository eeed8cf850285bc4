// A value that components follow: `useSignal(signal)` draws them again when it changes.
import { useEffect, useState } from "../vendor/preact.js";

export function signal(value) {
  const followers = new Set();
  return {
    get value() {
      return value;
    },
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const follower of [...followers]) follower(value);
    },
    follow(follower) {
      followers.add(follower);
      return () => followers.delete(follower);
    },
  };
}

export function useSignal(followed) {
  const [value, setValue] = useState(followed.value);
  useEffect(() => {
    setValue(followed.value); // it may have changed before the effect ran
    return followed.follow(setValue);
  }, [followed]);
  return value;
}
