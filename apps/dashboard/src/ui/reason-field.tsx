interface ReasonFieldProps {
  readonly id: string;
  readonly value: string;
  onChange(reason: string): void;
}

/** Why somebody acts: the same everywhere, and as long as the server takes. */
export const ReasonField = ({ id, value, onChange }: ReasonFieldProps) => (
  <label class="reason">
    Reason{' '}
    <input
      id={id}
      name="reason"
      maxLength={1000}
      autocomplete="off"
      placeholder="kept in the audit log"
      value={value}
      onInput={(e) => onChange(e.currentTarget.value)}
    />
  </label>
);
